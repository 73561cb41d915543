"""What the tests of the native HTTP API share: a client, finished jobs, and a web process without a worker."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
import pytest_asyncio

from tests.conftest import http_client, picture
from tests.redis_server import RedisServer
from tests.web_process import WebProcess, running_web

if TYPE_CHECKING:
    from quickthumb.service.keys import Keyring
    from quickthumb.service.webhooks import WebhookService

MAX_UPLOAD_BYTES = 8 * 1024 * 1024


@pytest.fixture
async def client(service: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service that all these tests share."""
    async with http_client(service) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def alone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebProcess]:
    """A web process without a worker, so accepted jobs stay WAITING. It accepts at most MAX_UPLOAD_BYTES."""
    folder = tmp_path_factory.mktemp("alone")
    async with (
        RedisServer(folder) as redis,
        running_web(folder, redis.url, max_upload_bytes=MAX_UPLOAD_BYTES, max_wait_seconds=2) as web,
    ):
        yield web


@pytest.fixture
async def waiting(alone: WebProcess) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the web process without a worker."""
    async with http_client(alone.address) as client:
        yield client


class _NoKeys:
    needs_key = False


# The keyring of a service that has no key.
NO_KEYS = cast("Keyring", _NoKeys())


# The webhooks of a service whose tests do not use any.
NO_WEBHOOKS = cast("WebhookService", None)


@dataclass(frozen=True)
class Refusal:
    """The fields of a problem that the tests check."""

    status: int
    code: str
    field: str | None = None


def refusal(answer: httpx.Response) -> Refusal:
    """Checks that the response is a well-formed problem, and returns it."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"/docs/errors#{problem['code']}"
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"][-1] in ".?"
    return Refusal(answer.status_code, problem["code"], problem.get("field"))


async def upload(client: httpx.AsyncClient, name: str = "cat.jpg", data: bytes | None = None) -> dict[str, Any]:
    """Uploads an image as a form, and returns its job."""
    answer = await client.post("/images/", files={"image": (name, data or picture())})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def done(client: httpx.AsyncClient, name: str = "cat.jpg", data: bytes | None = None) -> dict[str, Any]:
    """Uploads an image, waits until its job is DONE, and returns the job."""
    accepted = await upload(client, name, data)
    job: dict[str, Any] = (await client.get(accepted["links"]["self"], params={"wait": 30})).json()
    assert job["status"] == "DONE", job
    return job
