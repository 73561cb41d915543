"""What the tests of the HTTP door share: a client, jobs to look at, and a web process that has no worker."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.conftest import http_client, picture
from tests.redis_server import RedisServer
from tests.web_process import WebProcess, running_web

MAX_UPLOAD_BYTES = 4 * 1024 * 1024


@pytest.fixture
async def client(service: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service that all tests share."""
    async with http_client(service) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def alone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebProcess]:
    """A web process without a worker: what it accepts stays WAITING. It takes at most MAX_UPLOAD_BYTES."""
    folder = tmp_path_factory.mktemp("alone")
    async with (
        RedisServer(folder) as redis,
        running_web(folder, redis.url, max_upload_bytes=MAX_UPLOAD_BYTES, max_wait_seconds=2) as web,
    ):
        yield web


@pytest.fixture
async def waiting(alone: WebProcess) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the web process that has no worker."""
    async with http_client(alone.address) as client:
        yield client


@dataclass(frozen=True)
class Refusal:
    """What a problem says, in the order in which the tests care."""

    status: int
    code: str
    field: str | None = None


def refusal(answer: httpx.Response) -> Refusal:
    """The problem that the answer is, once it is sure that it is one in form."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "about:blank"
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"].endswith(".")
    return Refusal(answer.status_code, problem["code"], problem.get("field"))


async def upload(client: httpx.AsyncClient, name: str = "cat.jpg", data: bytes | None = None) -> dict[str, Any]:
    """The job of an upload as a form."""
    answer = await client.post("/images/", files={"image": (name, data or picture())})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def done(client: httpx.AsyncClient, name: str = "cat.jpg", data: bytes | None = None) -> dict[str, Any]:
    """The job of an upload, once it is DONE."""
    accepted = await upload(client, name, data)
    job: dict[str, Any] = (await client.get(accepted["links"]["self"], params={"wait": 30})).json()
    assert job["status"] == "DONE", job
    return job
