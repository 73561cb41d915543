"""How long an upload may take, and what else ends it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from quickthumb.intake import read_in_time, receive
from quickthumb.intake.errors import UploadTimedOut
from quickthumb.intake.image_stream import BLOCK_BYTES
from tests.intake.uploads import (
    IMAGE,
    LIMITS,
    Memory,
    Opener,
    inspect,
)


async def test_a_stalled_upload_is_aborted() -> None:
    closed = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield IMAGE
            await asyncio.Event().wait()
        finally:
            closed.set()

    with pytest.raises(UploadTimedOut, match=r"stalled: nothing arrived for 0\.01 seconds"):
        await receive(
            body(),
            "image/png",
            inspect=inspect,
            open_sink=Opener(Memory()),
            limits=replace(LIMITS, idle_seconds=0.01),
        )
    assert closed.is_set()


@pytest.mark.parametrize("pause", [True, False])
async def test_an_upload_that_takes_too_long_is_aborted(pause: bool) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"IMG"
        while True:
            if pause:
                await asyncio.sleep(0)
            yield b"x"

    with pytest.raises(UploadTimedOut, match=r"longer than 0\.05 seconds"):
        await receive(
            body(),
            "image/png",
            inspect=inspect,
            open_sink=Opener(Memory()),
            limits=replace(LIMITS, total_seconds=0.05),
        )


async def test_a_body_that_waits_past_the_total_took_too_long() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async def read() -> None:
        async for _ in read_in_time(body(), idle_seconds=30, total_seconds=0.01):
            pass

    with pytest.raises(UploadTimedOut, match="longer than"):
        await read()


@pytest.mark.parametrize("error", [ConnectionResetError, TimeoutError, asyncio.CancelledError])
async def test_what_the_body_raises_passes_through(error: type[BaseException]) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"IMG" + bytes(2 * BLOCK_BYTES)
        raise error

    opener = Opener(Memory())
    with pytest.raises(error):
        await receive(body(), "image/png", inspect=inspect, open_sink=opener, limits=LIMITS)
    assert opener.opened == 1


async def test_many_chunks_take_no_more_timers_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    set_timers = 0
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def counting(*args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        nonlocal set_timers
        set_timers += 1
        return call_at(*args, **kwargs)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            await asyncio.sleep(0)
            yield b"x"

    monkeypatch.setattr(loop, "call_at", counting)
    assert [chunk async for chunk in read_in_time(body(), idle_seconds=30, total_seconds=30)] == [b"x"] * 100
    assert set_timers == 1


async def test_a_reader_that_is_slow_itself_is_not_taken_for_a_stalled_client() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x"
        yield b"y"

    chunks = []
    async for chunk in read_in_time(body(), idle_seconds=0.01, total_seconds=30):
        chunks.append(chunk)
        await asyncio.sleep(0.05)
    assert chunks == [b"x", b"y"]


async def test_who_is_cancelled_while_the_client_stalls_is_not_told_that_it_stalled() -> None:
    reached = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        reached.set()
        await asyncio.Event().wait()
        yield b""

    async def read() -> None:
        async for _ in read_in_time(body(), idle_seconds=30, total_seconds=30):
            pass

    task = asyncio.create_task(read())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
