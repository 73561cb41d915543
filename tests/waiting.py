"""Waiting for a condition, with a deadline, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Awaitable, Callable

SHORTEST_PAUSE_SECONDS = 0.01
# The longer it has waited already, the less often it looks: a condition is seen at most this share of the time late.
PAUSE_SHARE = 0.05


async def wait_until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 10) -> None:
    """Return as soon as `condition` holds; it may be a plain or an async function. Fails after `seconds`."""
    began = time.monotonic()
    while True:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return
        waited = time.monotonic() - began
        if waited > seconds:
            raise AssertionError(f"did not come true within {seconds:g} s: {condition}")
        await asyncio.sleep(max(SHORTEST_PAUSE_SECONDS, PAUSE_SHARE * waited))
