"""Requests that a client sends before it has read the answer to the last one: the answers come in order, and what
waits to be read takes no more memory than a buffer."""

import contextlib

import httpx
import pytest

from quickthumb.web.connection import INVALID
from tests.chaos.gauges import MEBIBYTE, memory_bytes, needs_linux
from tests.conftest import picture
from tests.web.conftest import upload
from tests.web.sockets import connection
from tests.web_process import WebProcess

ASKS = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
IMAGE = picture(64, 48)
POST = b"POST /images/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
UPLOAD = b"%bContent-Length: %d\r\n\r\n%b" % (POST, len(IMAGE), IMAGE)
CHUNKS = b"%bTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nX-Trailer: x\r\n\r\n" % (POST, len(IMAGE), IMAGE)
# What is refused, with the status of the answer.
REFUSED = {
    "no HTTP": (b"\x16\x03\x01 nonsense\r\n\r\n", 400),
    "no Host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "an endless header": (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 70_000, 431),
    "an endless URL": (b"GET /" + b"x" * 70_000, 414),
    "an unknown encoding": (b"POST /images/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip\r\n\r\nx", 400),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
    "a bad chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    "a bad Expect": (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nHost: y\r\n\r\n", 400),
    "a bad offer": (
        b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: y\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        400,
    ),
}
CROWDS = 12
MOST_KEPT_BYTES = 12 * MEBIBYTE


def waits_for(job: str, seconds: int = 1) -> bytes:
    return f"GET {job}?wait={seconds} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refusal_follows_the_answers_before_it(
    alone: WebProcess, waiting: httpx.AsyncClient, name: str
) -> None:
    job = (await upload(waiting))["links"]["self"]
    refused, status = REFUSED[name]
    async with connection(alone.address) as sending:
        await sending.send(waits_for(job) + ASKS + refused)
        answers = [await sending.answer() for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, status]
        assert answers[0].json()["status"] == "WAITING"
        assert answers[2].headers["connection"] == "close"
        assert await sending.is_closed()


async def test_the_log_gives_a_request_the_id_of_no_other(alone: WebProcess) -> None:
    first = ASKS.replace(b"\r\n\r\n", b"\r\nX-Request-ID: the-first\r\n\r\n")
    async with connection(alone.address) as sending:
        await sending.send(first + b"nonsense\r\n\r\n")
        assert (await sending.answer()).headers["x-request-id"] == "the-first"
        assert (await sending.answer()).status_code == 400
    (line,) = [line for line in alone.log.read_text().splitlines() if INVALID in line][-1:]
    assert "the-first" not in line


@pytest.mark.parametrize("size", [100_000, 1000, 7])
async def test_the_answers_come_in_order_however_the_bytes_arrive(alone: WebProcess, size: int) -> None:
    sent = (ASKS + UPLOAD + CHUNKS) * 2 + b"\r\n" + UPLOAD
    async with connection(alone.address) as sending:
        for start in range(0, len(sent), size):
            await sending.send(sent[start : start + size])
        for status in (200, 202, 202, 200, 202, 202, 202):
            answer = await sending.answer()
            assert answer.status_code == status, answer.text


async def test_a_body_is_no_request_although_it_looks_like_one(alone: WebProcess) -> None:
    smuggled = ASKS * 3
    for head in (b"Content-Length: %d\r\n\r\n" % len(smuggled), b"Transfer-Encoding: chunked\r\n\r\n"):
        body = smuggled if b"Length" in head else b"%x\r\n%b\r\n0\r\n\r\n" % (len(smuggled), smuggled)
        async with connection(alone.address) as sending:
            await sending.send(POST + head + body + LAST)
            assert (await sending.answer()).status_code == 415
            assert (await sending.answer()).status_code == 200
            assert await sending.is_closed()


async def test_a_crowd_of_requests_is_answered(alone: WebProcess) -> None:
    async with connection(alone.address) as sending:
        await sending.send(ASKS * 2000)
        for _ in range(2000):
            assert (await sending.answer()).status_code == 200


@needs_linux
async def test_requests_behind_one_that_waits_are_not_kept_in_memory(
    alone: WebProcess, waiting: httpx.AsyncClient
) -> None:
    job = (await upload(waiting))["links"]["self"]
    before = memory_bytes(alone.process.pid)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(CROWDS):
            crowd = await stack.enter_async_context(connection(alone.address))
            stack.callback(crowd.break_off)
            await crowd.send(waits_for(job, 2) + ASKS * 10_000)
        for _ in range(10):  # by then, the service has read what it reads
            assert (await waiting.get("/healthz")).status_code == 200
        assert memory_bytes(alone.process.pid) < before + MOST_KEPT_BYTES
