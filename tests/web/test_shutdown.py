"""A web process that is told to stop: answers that are being held go out at once, and errors stay problems."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conftest import http_client, picture
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web.conftest import Refusal, refusal, upload
from tests.web.sockets import Connection, connection
from tests.web_process import SERVE, WebProcess, running_web

PLAIN = ("uvicorn", "quickthumb.app:app", "--port", "0", "--timeout-graceful-shutdown", "1")
STOPPED = {
    "plain uvicorn": (PLAIN, signal.SIGTERM),
    "with the bounds of serve": ((*PLAIN, "--http", "quickthumb.web.protocol:BoundedProtocol"), signal.SIGINT),
    "with h11": ((*PLAIN, "--http", "h11"), signal.SIGTERM),
}
HELD = 5
# Far below the time for which the answers would be held, and below the grace of `quickthumb serve`.
AT_ONCE_SECONDS = 5


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def redis_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    async with RedisServer(tmp_path_factory.mktemp("redis")) as redis:
        yield redis


async def stop_while_answers_are_held(web: WebProcess, number: signal.Signals) -> None:
    """Sends the signal while requests wait for a job, and checks that they are answered with the job as it stands."""
    async with http_client(web.address) as client, contextlib.AsyncExitStack() as stack:
        job = (await upload(client))["links"]["self"]
        waiting = [await stack.enter_async_context(connection(web.address)) for _ in range(HELD)]
        for one in waiting:
            await one.head(f"GET {job}?wait=40")
            await one.head("GET /healthz")  # behind it, so the first of them is being held
        await asyncio.gather(*(is_silent(one) for one in waiting))
        web.process.send_signal(number)
        async with asyncio.timeout(AT_ONCE_SECONDS):
            for one in waiting:
                answer = await one.answer()
                assert (answer.status_code, answer.json()["status"]) == (200, "WAITING")
                assert answer.headers["retry-after"] == "1"


async def is_silent(waiting: Connection) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await waiting.answer()


def arriving(web: WebProcess) -> list[Path]:
    return [path for path in (web.data / "uploads" / ".arriving").rglob("*") if path.is_file()]


def assert_ended_well(web: WebProcess) -> None:
    web.process.wait(timeout=20)
    log = web.log.read_text()
    assert "Traceback" not in log
    assert "Exception" not in log


async def test_held_answers_go_out_at_once(redis_server: RedisServer, tmp_path: Path) -> None:
    async with running_web(
        tmp_path, redis_server.url, words=(*SERVE, "--workers", "2"), redis_prefix=tmp_path.name
    ) as web:
        await wait_until(lambda: web.log.read_text().count("Application startup complete") == 2, seconds=30)
        await stop_while_answers_are_held(web, signal.SIGTERM)
        assert_ended_well(web)
        assert "Cancel" not in web.log.read_text()


@pytest.mark.parametrize(("words", "number"), STOPPED.values(), ids=STOPPED)
async def test_what_is_not_complete_in_time_is_answered_with_a_problem(
    redis_server: RedisServer, tmp_path: Path, words: tuple[str, ...], number: signal.Signals
) -> None:
    async with (
        running_web(tmp_path, redis_server.url, words=words, redis_prefix=tmp_path.name) as web,
        connection(web.address) as sending,
    ):
        await sending.head("POST /images/", Content_Type="image/jpeg", Content_Length=8_000_000)
        await sending.send(picture().ljust(6_000_000, b"\0"))
        await wait_until(lambda: bool(arriving(web)))
        await stop_while_answers_are_held(web, number)
        answer = await sending.answer()
        assert refusal(answer) == Refusal(503, "not_serving")
        assert int(answer.headers["retry-after"]) >= 1
        assert_ended_well(web)
        assert "POST /images/: cut off" in web.log.read_text()
        assert arriving(web) == []
