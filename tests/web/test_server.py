"""A plain uvicorn: it gets the limits of `quickthumb serve`, or its log says which it lacks."""

import asyncio
import gc
import logging
import signal
import threading
from pathlib import Path

import httpx
import pytest
from uvicorn import Config, Server

from quickthumb.config import WebSettings
from quickthumb.service.shutdown import GRACEFUL_SECONDS
from quickthumb.web.server import (
    FILE_THREADS,
    adapt_server,
    keep_what_is_loaded,
    use_many_threads,
)
from tests.cli.test_serve import LONG_HEAD
from tests.conftest import clean_environment
from tests.web.test_protocol import code, exchange
from tests.web_process import SERVE, WebProcess, running_web

PLAIN = ("uvicorn", "quickthumb.app:app", "--port", "0")
NO_REDIS = "redis://127.0.0.1:1"


def told(web: WebProcess) -> list[str]:
    """The lines of the log that compare the server with `quickthumb serve`."""
    return [line for line in web.log.read_text().splitlines() if "quickthumb serve" in line]


async def test_plain_uvicorn_has_the_same_limits_and_says_so(tmp_path: Path) -> None:
    async with running_web(tmp_path, NO_REDIS, words=PLAIN) as web, httpx.AsyncClient(base_url=web.address) as client:
        assert code(await exchange(web.address, LONG_HEAD)) == (431, "head_too_large")
        assert "server" not in (await client.get("/healthz")).headers
        (line,) = told(web)
        assert "Served by plain uvicorn, with the limits of `quickthumb serve`" in line


async def test_serve_has_nothing_to_say(tmp_path: Path) -> None:
    async with running_web(tmp_path, NO_REDIS, words=SERVE) as web:
        assert told(web) == []


async def test_uvicorn_with_h11_says_what_it_lacks(tmp_path: Path) -> None:
    words = (*PLAIN, "--http", "h11")
    async with running_web(tmp_path, NO_REDIS, words=words) as web, httpx.AsyncClient(base_url=web.address) as client:
        assert "server" not in (await client.get("/healthz")).headers
        (line,) = told(web)
        assert "H11Protocol, which lacks limits on the request head and on slow clients" in line


async def test_uvicorns_variable_is_ignored_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    assert "FORWARDED_ALLOW_IPS" in clean_environment()
    for number, words in enumerate((SERVE, PLAIN)):
        async with running_web(tmp_path / str(number), NO_REDIS, words=words) as web:
            async with httpx.AsyncClient(base_url=web.address) as client:
                await client.delete("/nowhere", headers={"X-Forwarded-For": "203.0.113.9"})
            text = web.log.read_text()
            assert "FORWARDED_ALLOW_IPS is ignored" in text
            assert "203.0.113.9" not in text


@pytest.mark.parametrize(("given", "seconds"), [(None, GRACEFUL_SECONDS), (1, 1)])
def test_open_requests_do_not_keep_a_plain_uvicorn_from_stopping(given: int | None, seconds: int) -> None:
    server = Server(Config("quickthumb.web.server:adapt_server", timeout_graceful_shutdown=given))
    server.config.load()
    before = signal.signal(signal.SIGTERM, server.handle_exit)
    try:
        assert adapt_server(WebSettings()) is server
    finally:
        signal.signal(signal.SIGTERM, before)
    assert server.config.timeout_graceful_shutdown == seconds


def test_another_server_is_warned_of(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("quickthumb"), "propagate", True)
    assert adapt_server(WebSettings()) is None
    assert "may lack limits on the request head and on slow clients" in caplog.text
    assert "X-Forwarded-For" in caplog.text


async def test_many_uploads_are_synced_at_the_same_time() -> None:
    use_many_threads()
    together = threading.Barrier(FILE_THREADS, timeout=30)
    await asyncio.gather(*(asyncio.to_thread(together.wait) for _ in range(FILE_THREADS)))


def test_collections_do_not_look_through_what_was_loaded() -> None:
    try:
        keep_what_is_loaded()
        assert gc.get_freeze_count() > 20 * len(gc.get_objects())
    finally:
        gc.unfreeze()
