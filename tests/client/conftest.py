"""Both clients behind one face, so that each test tries both."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from quickthumb.client import AsyncClient, Client, Retries
from tests.conftest import picture
from tests.redis_server import RedisServer
from tests.web_process import running_web

QUICK = Retries(attempts=4, first_pause_seconds=0.02)


class Either:
    """A client whose methods are awaited, whichever it is; the blocking one works in a thread."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if name in ("batches", "webhooks"):
            return Either(method)
        if name in ("jobs", "events"):
            return lambda *arguments, **named: self._listed(method(*arguments, **named))
        if inspect.iscoroutinefunction(method):
            return method
        return lambda *arguments, **named: asyncio.to_thread(method, *arguments, **named)

    async def _listed(self, found: Any) -> list[Any]:
        if isinstance(self.client, AsyncClient):
            return [one async for one in found]
        return await asyncio.to_thread(list, found)


Opened = Callable[..., Either]


@pytest.fixture(params=[Client, AsyncClient], ids=["blocking", "async"])
async def opened(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    """Opens a client of a URL; all are closed at the end."""
    clients: list[Either] = []

    def opened(url: str, retries: Retries = QUICK, **options: Any) -> Either:
        clients.append(Either(request.param(url, retries=retries, **options)))
        return clients[-1]

    yield opened
    for client in clients:
        await client.close()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def idle(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of a web process without a worker, so that jobs stay WAITING."""
    folder = tmp_path_factory.mktemp("idle")
    async with RedisServer(folder / "redis") as redis, running_web(folder / "web", redis.url) as web:
        yield web.address


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(picture())
    return path
