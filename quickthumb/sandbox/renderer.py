"""How a worker makes pictures: where, with what share of the memory, and for how long at most."""

import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from quickthumb.imaging import engine
from quickthumb.imaging.engine import Rendering
from quickthumb.imaging.memory import estimate_file_bytes
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.sandbox import allocator
from quickthumb.sandbox.budget import Budget, Share
from quickthumb.sandbox.errors import JobTimedOut
from quickthumb.sandbox.process import Quarantine
from quickthumb.sandbox.threads import DaemonThreads, LeftBehind

# What starting and ending the quarantined process may take on a busy machine, beside its own time.
QUARANTINE_MARGIN_SECONDS = 10.0
# From here on a picture's memory is handed back to the system at once.
LARGE_BYTES = 64 * 1024 * 1024

T = TypeVar("T")


class Renderer:
    """Makes pictures in the worker's threads: at first by themselves, later from there in quarantine.

    The time that a picture waits for a thread or for memory does not count as its own.
    """

    def __init__(
        self, threads: DaemonThreads, budget: Budget, quarantine: Quarantine, limits: Limits, *, seconds: float
    ) -> None:
        self._threads = threads
        self._budget = budget
        self._quarantine = quarantine
        self._limits = limits
        self._seconds = seconds

    async def in_thread(self, source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
        """Makes the pictures in this process, once there is memory for them.

        Raises what the engine raises, and JobTimedOut.
        """
        size_bytes = await self._timed(partial(estimate_file_bytes, source, outputs, self._limits), self._seconds)
        share = await self._budget.take(size_bytes)
        make = _make_large if size_bytes > LARGE_BYTES else engine.render
        return await self._timed(partial(make, source, outputs, folder, self._limits), self._seconds, share)

    async def in_quarantine(self, source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
        """Makes the pictures in a process of their own, with memory of its own. Raises as the quarantine does."""
        work = partial(self._quarantine.render, source, outputs, folder, self._limits)
        return await self._timed(work, self._quarantine.seconds + QUARANTINE_MARGIN_SECONDS)

    async def _timed(self, work: Callable[[], T], seconds: float, share: Share | None = None) -> T:
        try:
            return await self._threads.run(work, seconds=seconds, holding=share)
        except LeftBehind:
            raise JobTimedOut(f"It took longer than {seconds:g} s.") from None


def _make_large(source: Path, outputs: Sequence[Output], folder: Path, limits: Limits) -> Rendering:
    """As the engine does, and leaves no memory behind."""
    allocator.trim()
    try:
        return engine.render(source, outputs, folder, limits)
    except BaseException as error:
        _forget_pictures(error)
        raise
    finally:
        allocator.trim()


def _forget_pictures(error: BaseException | None) -> None:
    """Empties the frames in which the error and its causes happened, which would keep the pictures as long as it."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__
