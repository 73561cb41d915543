"""Limits on one upload: how many bytes and fields it may have, and how long it may take."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

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
    wait = _Wait(idle_seconds, total_seconds)
    try:
        while (chunk := await wait.for_next(body)) is not None:
            yield chunk
    finally:
        wait.end()


class _Wait:
    """The waits for the chunks of one body, in one task.

    One timer serves all of them, which looks now and then how long the present wait has lasted: to set and cancel a
    timer for each chunk would cost more than to take the chunk.
    """

    def __init__(self, idle_seconds: float, total_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = cast("asyncio.Task[Any]", asyncio.current_task(self._loop))
        self._idle_seconds = idle_seconds
        self._total_seconds = total_seconds
        self._ends_at = self._loop.time() + total_seconds
        self._since: float | None = None
        self._refusal: UploadTimedOut | None = None
        self._timer = self._loop.call_at(min(self._loop.time() + idle_seconds, self._ends_at), self._look)

    async def for_next(self, body: AsyncIterator[bytes]) -> bytes | None:
        """The next chunk; None after the last. Raises UploadTimedOut."""
        self._since = self._loop.time()
        # Looked at here too: a body that is always ready never lets the timer run.
        if self._since >= self._ends_at:
            raise self._too_long()
        cancelling = self._task.cancelling()
        try:
            return await anext(body, None)
        except asyncio.CancelledError:
            # Cancelled by this timer alone, and not by somebody else too?
            if self._refusal is not None and self._task.uncancel() <= cancelling:
                raise self._refusal from None
            raise
        finally:
            self._since = None

    def end(self) -> None:
        """Stops the timer."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        idle_at = (now if self._since is None else self._since) + self._idle_seconds
        if self._since is not None and now >= min(idle_at, self._ends_at):
            self._refusal = self._stalled() if idle_at < self._ends_at else self._too_long()
            self._task.cancel()
        elif now < self._ends_at:
            self._timer = self._loop.call_at(min(idle_at, self._ends_at), self._look)

    def _stalled(self) -> UploadTimedOut:
        return UploadTimedOut(f"The upload stalled: nothing arrived for {self._idle_seconds:g} seconds.")

    def _too_long(self) -> UploadTimedOut:
        return UploadTimedOut(f"The upload took longer than {self._total_seconds:g} seconds.")
