"""How long an upload may take, and what else ends it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

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
