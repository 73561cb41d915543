"""What a worker does beside its jobs, every so often."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from quickthumb.model.errors import QuickThumbError

log = logging.getLogger("quickthumb.worker")

CANCEL_AGAIN_SECONDS = 0.5


@asynccontextmanager
async def repeated(what: str, action: Callable[[], Awaitable[object]], interval_seconds: float) -> AsyncIterator[None]:
    """While the block lasts, does `action` at once and then every `interval_seconds`. What goes wrong is logged."""
    task = asyncio.create_task(_repeat(what, action, interval_seconds), name=what)
    try:
        yield
    finally:
        # Once is not always enough: in Python 3.11 `wait_for`, with which redis-py sends, may swallow it.
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_AGAIN_SECONDS)


async def _repeat(what: str, action: Callable[[], Awaitable[object]], interval_seconds: float) -> None:
    while True:
        try:
            await action()
        except QuickThumbError as error:
            log.warning("%s: %s", what, error.detail)
        except Exception:
            log.exception("%s went wrong", what)
        await asyncio.sleep(interval_seconds)
