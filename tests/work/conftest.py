"""Fixtures for the handlers: a real Redis and a real folder."""

from pathlib import Path

import pytest

from quickthumb.storage import FileStorage
from tests.redis_fixtures import attempts, client, rates, redis, redis_url, shared_redis, store

__all__ = ["attempts", "client", "rates", "redis", "redis_url", "shared_redis", "store"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def storage(folder: Path) -> FileStorage:
    return FileStorage(folder)
