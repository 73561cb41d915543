import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette

from quickthumb.queue.errors import QueueUnavailable
from quickthumb.service.emails import MailService
from quickthumb.service.events import EventService
from quickthumb.service.health import Health
from quickthumb.service.jobs import ImageService
from quickthumb.web.application import application
from quickthumb.web.middleware.answers import DEFAULT_HEADERS
from tests.conftest import picture
from tests.web.conftest import NO_KEYS, NO_WEBHOOKS, Refusal, refusal

SECRET = "redis://:hush@example/0"


class FailingService:
    """Raises the given error from every method."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        async def fail(*given: Any, **named: Any) -> None:
            raise self._error

        return fail


@asynccontextmanager
async def client_of(error: Exception) -> AsyncIterator[httpx.AsyncClient]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield

    service = cast("ImageService", FailingService(error))
    mail, health, events = cast("MailService", service), cast("Health", service), cast("EventService", service)
    app = application(
        service,
        mail,
        health,
        events=events,
        webhooks=NO_WEBHOOKS,
        max_wait_seconds=1,
        lifespan=lifespan,
        keyring=NO_KEYS,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets caplog see QuickThumb's log, even if another test has already configured logging."""
    monkeypatch.setattr(logging.getLogger("quickthumb"), "propagate", True)


async def test_a_bug_is_a_problem_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with client_of(RuntimeError(SECRET)) as client:
        for answer in (
            await client.get("/jobs"),
            await client.post("/images/", files={"image": ("cat.jpg", picture())}),
        ):
            assert refusal(answer) == Refusal(500, "internal_error")
            assert SECRET not in answer.text
            assert "Traceback" not in answer.text
            assert all(answer.headers[name] == value for name, value in DEFAULT_HEADERS.items())
            assert answer.headers["cache-control"] == "no-store"
    assert caplog.text.count("GET /jobs failed") == 1
    assert caplog.text.count(f"RuntimeError: {SECRET}") >= 2


async def test_what_the_log_says_of_a_request_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async with client_of(QueueUnavailable("Redis is away.")) as client:
        answer = await client.get("/jobs/x/results/%0AERROR%20all%20is%20lost%1B%5B31m")
    assert refusal(answer) == Refusal(503, "queue_unavailable")
    messages = [record.getMessage() for record in caplog.records if record.name == "quickthumb.web"]
    assert messages == ["GET /jobs/x/results/%0AERROR%20all%20is%20lost%1B%5B31m: Redis is away."]


@pytest.mark.parametrize(
    "path", ["/nowhere", "//jobs", "/jobs//", "//evil.example/", "/docs/assets/", "/docs/assets/x"]
)
async def test_an_unknown_address_is_a_problem(waiting: httpx.AsyncClient, path: str) -> None:
    answer = await waiting.get(waiting.base_url.copy_with(raw_path=path.encode()))
    assert refusal(answer) == Refusal(404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/images/", "POST"),
        ("PUT", "/images", "POST"),
        ("POST", "/jobs", "DELETE, GET, HEAD"),
        ("OPTIONS", "/jobs", "DELETE, GET, HEAD"),
        ("PUT", "/jobs/x", "DELETE, GET, HEAD, PATCH"),
        ("TRACE", "/jobs/x/original", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
        ("POST", "/docs/assets/docs.js", "GET, HEAD"),
    ],
)
async def test_another_method_is_a_problem_that_says_which_are_allowed(
    waiting: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await waiting.request(method, path)
    assert refusal(answer) == Refusal(405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


async def test_no_host_and_no_address_leads_elsewhere(waiting: httpx.AsyncClient) -> None:
    for path in ("/", "/docs/", "/jobs/"):
        answer = await waiting.get(path, headers={"Host": "other.localhost"})
        assert answer.status_code in (200, 307)
        assert "other.localhost" not in answer.text
        assert answer.headers.get("location", "/docs") == "/docs"
