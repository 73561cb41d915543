"""Early responses: a client that goes on sending still reads them, and what it sends later is no new request."""

import asyncio
import contextlib

import httpx
import pytest

from quickthumb.web.middleware.lingering import LINGER_SECONDS
from tests.web.conftest import Refusal, refusal
from tests.web.sockets import connection
from tests.web_process import WebProcess

SMUGGLED = b"DELETE /jobs/" + b"0" * 32 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def test_a_client_that_sends_all_before_it_reads_gets_the_answer(alone: WebProcess) -> None:
    async with connection(alone.address) as sending:
        await sending.head("POST /images/", Content_Type="image/jpeg", Content_Length=2_000_000)
        await sending.send(b"%PDF-1.7\n".ljust(2_000_000))
        assert refusal(await sending.answer()) == Refusal(415, "unsupported_image")
        assert await sending.is_closed()


@pytest.mark.parametrize("request_", ["GET /healthz", "POST /healthz", "POST /images/", "GET /nowhere"])
async def test_what_follows_an_early_answer_is_no_request(alone: WebProcess, request_: str) -> None:
    async with connection(alone.address) as sending:
        await sending.head(request_, Content_Type="text/plain", Content_Length=2 * len(SMUGGLED))
        await sending.send(SMUGGLED)
        assert (await sending.answer()).headers["connection"] == "close"
        await sending.send(SMUGGLED)
        assert await sending.is_closed()


async def test_a_client_that_never_stops_sending_is_cut_off(alone: WebProcess) -> None:
    async with connection(alone.address) as sending:
        await sending.head("POST /images/", Content_Type="text/plain", Transfer_Encoding="chunked")
        assert refusal(await sending.answer()) == Refusal(415, "unsupported_media_type")
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(LINGER_SECONDS + 5):
                while True:
                    await sending.chunk(bytes(65536))
        assert await sending.is_closed()


async def test_a_request_without_a_body_keeps_its_connection(waiting: httpx.AsyncClient) -> None:
    assert "connection" not in (await waiting.get("/nowhere")).headers
