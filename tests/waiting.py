"""Waiting for a condition, with a deadline, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.01


async def wait_until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 10) -> None:
    """Return as soon as `condition` holds; it may be a plain or an async function. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come true within {seconds:g} s: {condition}")
        await asyncio.sleep(POLL_SECONDS)
