"""Limits on one upload: how many bytes and fields it may have, and how long it may take."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from quickthumb.config import IntakeLimits
from quickthumb.intake.errors import TooManyBytes, UploadTimedOut
from quickthumb.model.errors import MalformedRequest

__all__ = ["FieldAllowance", "IntakeLimits", "read_in_time"]


class FieldAllowance:
    """How much room an upload's fields have left. Ask before keeping any of them, so that memory stays bounded."""

    def __init__(self, limits: IntakeLimits) -> None:
        self._limits = limits
        self._fields = 0
        self._bytes = 0

    def take_fields(self, count: int) -> None:
        """Counts `count` more fields. Raises MalformedRequest if there are too many."""
        self._fields += count
        if self._fields > self._limits.max_fields:
            raise MalformedRequest(f"The request has too many fields; at most {self._limits.max_fields} are accepted.")

    def take_bytes(self, count: int) -> None:
        """Counts `count` more bytes of names and values. Raises TooManyBytes if there are too many."""
        self._bytes += count
        if self._bytes > self._limits.max_fields_bytes:
            raise TooManyBytes(
                f"The request's fields are too long; apart from the image, "
                f"at most {self._limits.max_fields_bytes} bytes are accepted."
            )


async def read_in_time(
    body: AsyncIterator[bytes], *, idle_seconds: float, total_seconds: float
) -> AsyncGenerator[bytes, None]:
    """Yields the chunks of `body`. Raises UploadTimedOut when one chunk, or all of them together, take too long.

    `idle_seconds` limits each wait for the client, not the time spent on a chunk; `total_seconds` limits both together.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + total_seconds
    too_long = f"The upload took longer than {total_seconds:g} seconds."
    stalled = f"The upload stalled: nothing arrived for {idle_seconds:g} seconds."
    while True:
        # Checked here too: a body that is always ready never lets the timeout fire.
        if loop.time() > deadline:
            raise UploadTimedOut(too_long)
        idle_deadline = loop.time() + idle_seconds
        timeout = asyncio.timeout_at(min(idle_deadline, deadline))
        try:
            async with timeout:
                chunk = await anext(body, None)
        except TimeoutError:
            if not timeout.expired():
                raise
            raise UploadTimedOut(stalled if idle_deadline < deadline else too_long) from None
        if chunk is None:
            return
        yield chunk
