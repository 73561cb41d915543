"""How much one upload may send, and how long it may take."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from quickthumb.intake.errors import TooManyBytes, UploadTimedOut
from quickthumb.model.errors import MalformedRequest

__all__ = ["FieldAllowance", "IntakeLimits", "read_in_time"]


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """Limits of one upload. Bytes are those of the image and of the fields themselves, before any encoding."""

    max_upload_bytes: int
    max_fields: int
    max_fields_bytes: int
    idle_seconds: float
    total_seconds: float


class FieldAllowance:
    """What is left of an upload's fields; asked before anything of them is kept, so that memory stays bounded."""

    def __init__(self, limits: IntakeLimits) -> None:
        self._limits = limits
        self._fields = 0
        self._bytes = 0

    def take_fields(self, count: int) -> None:
        """Raises MalformedRequest if there are too many."""
        self._fields += count
        if self._fields > self._limits.max_fields:
            raise MalformedRequest(f"The request has too many fields; at most {self._limits.max_fields} are accepted.")

    def take_bytes(self, count: int) -> None:
        """Raises TooManyBytes if names and values together are too long."""
        self._bytes += count
        if self._bytes > self._limits.max_fields_bytes:
            raise TooManyBytes(
                f"The request's fields are too long; beside the image, "
                f"at most {self._limits.max_fields_bytes} bytes are accepted."
            )


async def read_in_time(
    body: AsyncIterator[bytes], *, idle_seconds: float, total_seconds: float
) -> AsyncGenerator[bytes, None]:
    """The chunks of `body`; raises UploadTimedOut when the next one, or the whole, takes too long.

    Only waiting for the client counts as stalling, not what is done with a chunk; the whole is measured by the clock.
    """
    loop = asyncio.get_running_loop()
    last = loop.time() + total_seconds
    while True:
        # Compared too, since a body that is always ready never gives the timeout its turn.
        if loop.time() > last:
            raise UploadTimedOut(f"The upload took longer than {total_seconds:g} seconds.")
        until = min(loop.time() + idle_seconds, last)
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
