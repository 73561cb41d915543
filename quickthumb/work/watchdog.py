"""Ends a worker that stands still, so that its supervisor starts another.

A decoder that hangs while it holds Python's lock freezes everything: the event loop, the leases, and every thread that
could do something about it. `faulthandler` keeps its time in a thread that needs no lock.
"""

import faulthandler
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from quickthumb.work.background import repeated

REARMS_BEFORE_THE_END = 5


@asynccontextmanager
async def watchdog(seconds: float) -> AsyncIterator[None]:
    """While the block lasts, the event loop must come round within `seconds`; or else all threads are shown on
    standard error, and the process ends with exit code 1."""

    async def rearm() -> None:
        faulthandler.dump_traceback_later(seconds, exit=True)

    async with repeated("watchdog", rearm, seconds / REARMS_BEFORE_THE_END):
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
