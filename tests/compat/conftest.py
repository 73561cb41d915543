"""What the tests of the older APIs share: a running service, seen by a client and, on the disk, by its operator."""

import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conftest import http_client, running_service


@dataclass(frozen=True)
class Site:
    """A running service: its URL, its data folder, and the output of its processes so far."""

    address: str
    data: Path
    log: Path


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service with its default settings."""
    folder = tmp_path_factory.mktemp("site")
    with running_service(folder) as address:
        yield Site(address, folder / "data", folder / "up.log")


@pytest.fixture(scope="session")
def post_office() -> Iterator[socket.socket]:
    """The port for a mail server, which a test starts."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture(scope="session")
def mailing_site(tmp_path_factory: pytest.TempPathFactory, post_office: socket.socket) -> Iterator[Site]:
    """A service that has a mail server, and removes each upload when its job ends."""
    folder = tmp_path_factory.mktemp("mailing-site")
    _, port = post_office.getsockname()
    settings = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_tls": "none", "source_retention_seconds": 0}
    with running_service(folder, **settings) as address:
        yield Site(address, folder / "data", folder / "up.log")


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(site.address) as client:
        yield client


@pytest.fixture
async def mailing(mailing_site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(mailing_site.address) as client:
        yield client
