"""What a worker does beside its jobs, every so often."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from quickthumb.errors import QuickThumbError

log = logging.getLogger("quickthumb.worker")


@asynccontextmanager
async def repeated(what: str, action: Callable[[], Awaitable[object]], interval_seconds: float) -> AsyncIterator[None]:
    """While the block lasts, does `action` at once and then every `interval_seconds`. What goes wrong is logged."""
    task = asyncio.create_task(_repeat(what, action, interval_seconds), name=what)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _repeat(what: str, action: Callable[[], Awaitable[object]], interval_seconds: float) -> None:
    while True:
        try:
            await action()
        except QuickThumbError as error:
            log.warning("%s: %s", what, error.detail)
        except Exception:
            log.exception("%s went wrong", what)
        await asyncio.sleep(interval_seconds)
