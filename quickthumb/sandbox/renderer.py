"""Renders images for the worker: in a thread or in a sandbox process, within limits of memory and time."""

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
from quickthumb.sandbox.errors import JobTimedOut
from quickthumb.sandbox.memory import Budget, Share, trim
from quickthumb.sandbox.process import SandboxProcess
from quickthumb.sandbox.threads import DaemonThreads, Stop, ThreadAbandoned

# How long starting and ending the sandbox process may take on a busy machine, on top of its own time.
PROCESS_MARGIN_SECONDS = 10.0
# If a rendering takes more than this, its memory is returned to the operating system at once.
LARGE_BYTES = 64 * 1024 * 1024

T = TypeVar("T")


class Renderer:
    """Renders in the worker's threads, either there or in a sandbox process that the thread waits for.

    Time spent waiting for a thread or for memory does not count against `seconds`. Cancelling either method stops its
    work: a thread at the engine's next step, a sandbox process at once. The cancelled call does not wait for that: the
    thread and its memory become free again once the work has stopped.
    """

    def __init__(
        self, threads: DaemonThreads, budget: Budget, process: SandboxProcess, limits: Limits, *, seconds: float
    ) -> None:
        self._threads = threads
        self._budget = budget
        self._process = process
        self._limits = limits
        self._seconds = seconds

    async def in_thread(self, source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
        """Renders in this process, once the budget has memory for it.

        Raises what the engine raises, and JobTimedOut.
        """
        size_bytes = await self._timed(partial(estimate_file_bytes, source, outputs, self._limits), self._seconds)
        share = await self._budget.acquire(size_bytes)
        stop = Stop()
        make = _make_large if size_bytes > LARGE_BYTES else _make
        work = partial(make, source, outputs, folder, self._limits, stop)
        return await self._timed(work, self._seconds, share, stop)

    async def in_process(self, source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
        """Renders in a sandbox process with memory of its own. Raises what SandboxProcess.render raises."""
        stop = Stop()
        work = partial(self._process.render, source, outputs, folder, self._limits, stop)
        return await self._timed(work, self._process.seconds + PROCESS_MARGIN_SECONDS, stop=stop)

    async def _timed(
        self, work: Callable[[], T], seconds: float, share: Share | None = None, stop: Stop | None = None
    ) -> T:
        try:
            return await self._threads.run(work, seconds=seconds, share=share, stop=stop)
        except ThreadAbandoned:
            raise JobTimedOut(f"Processing took longer than {seconds:g} s.") from None


def _make(source: Path, outputs: Sequence[Output], folder: Path, limits: Limits, stop: Stop) -> Rendering:
    return engine.render(source, outputs, folder, limits, checkpoint=stop.check)


def _make_large(source: Path, outputs: Sequence[Output], folder: Path, limits: Limits, stop: Stop) -> Rendering:
    """Renders; returns freed memory to the operating system before and after."""
    trim()
    try:
        return _make(source, outputs, folder, limits, stop)
    except BaseException as error:
        _forget_pictures(error)
        raise
    finally:
        trim()


def _forget_pictures(error: BaseException | None) -> None:
    """Clears the frames in the tracebacks of the error and its causes: the error would keep their pictures alive."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__
