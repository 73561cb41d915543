"""How long one may wait for a body: for its next chunk, and for all of it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from quickthumb.intake.errors import UploadTimedOut
from quickthumb.intake.limits import IntakeLimits


async def read_in_time(body: AsyncIterator[bytes], limits: IntakeLimits) -> AsyncGenerator[bytes, None]:
    """The chunks of `body`; raises UploadTimedOut when the next one, or the whole, takes too long.

    Only waiting for the client counts as stalling, not what is done with a chunk; the whole is measured by the clock.
    """
    loop = asyncio.get_running_loop()
    last = loop.time() + limits.total_seconds
    while True:
        # Compared too, since a body that is always ready never gives the timeout its turn.
        if loop.time() > last:
            raise UploadTimedOut(f"The upload took longer than {limits.total_seconds:g} seconds.")
        until = min(loop.time() + limits.idle_seconds, last)
        timeout = asyncio.timeout_at(until)
        try:
            async with timeout:
                chunk = await anext(body, None)
        except TimeoutError:
            if not timeout.expired():
                raise
            raise UploadTimedOut("The upload stalled and was broken off.") from None
        if chunk is None:
            return
        yield chunk
