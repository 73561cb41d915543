from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.redis_server import RedisServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A running embedded Redis on the test's folder."""
    async with RedisServer(tmp_path) as running:
        yield running
