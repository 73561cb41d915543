"""What the tests of generated clients share: a running service, and the OpenAPI document that it serves."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import NO_CERTIFICATES, running_service


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a service that lets nobody wait for long, since a generator of requests waits often."""
    with running_service(tmp_path_factory.mktemp("api"), max_wait_seconds=1, email_max_queued=100_000) as url:
        yield url


@pytest.fixture(scope="session")
def document(api: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OpenAPI document as a file."""
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_bytes(httpx.get(f"{api}/openapi.json", verify=NO_CERTIFICATES, trust_env=False).content)
    return path
