"""Renders images for the worker: in a thread or in a sandbox process, within limits of memory and time."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from quickthumb.imaging import engine
from quickthumb.imaging.cost import LARGE_BYTES, Cost, check_memory, estimate_cost
from quickthumb.imaging.engine import Admit, Rendering, Tell, tell_nobody
from quickthumb.imaging.header import read_header_of_file
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.sandbox.errors import JobTimedOut, LargeJobsWaiting
from quickthumb.sandbox.memory import Budget, Share, trim
from quickthumb.sandbox.process import SandboxProcess
from quickthumb.sandbox.threads import DaemonThreads, Stop, ThreadAbandoned

# How long starting and ending the sandbox process may take on a busy machine, on top of its own time.
PROCESS_MARGIN_SECONDS = 10.0
# Memory that large jobs leave to small ones, on top of the budget.
RESERVE_BYTES = 2 * LARGE_BYTES

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Appraisal:
    """What a job will take."""

    needed_bytes: int
    cost: Cost

    @property
    def is_large(self) -> bool:
        return self.cost.is_large(self.needed_bytes)


class _NotYet(Exception):
    """A job cannot be rendered in the thread that has just appraised it."""

    def __init__(self, found: _Appraisal) -> None:
        self.found = found


def most_jobs_at_once(threads: int) -> int:
    """How many jobs a worker should hold at once, for a renderer with that many threads: as many long ones as may run,
    a large one that waits, and two small ones, so that the bookkeeping of one is done while the other is rendered."""
    return threads + 3


class Renderer:
    """Renders in the worker's threads, either there or in a sandbox process that the thread waits for.

    A small job is appraised and rendered in one visit to a thread, if there is memory for it just then; any other is
    appraised first. Long jobs leave a thread, and large ones RESERVE_BYTES of memory, to small ones. Time spent waiting
    for a thread or for memory does not count against `seconds`. Cancelling either method stops its work: a thread at
    the engine's next step, a sandbox process at once. The cancelled call does not wait for that: the thread and its
    memory become free again once the work has stopped.
    """

    def __init__(
        self,
        threads: DaemonThreads,
        budget: Budget,
        process: SandboxProcess,
        limits: Limits,
        *,
        seconds: float,
        keeps_label: bool = True,
    ) -> None:
        self._threads = threads
        self._budget = budget
        self._process = process
        self._limits = limits
        self._seconds = seconds
        self._keeps_label = keeps_label
        self._long_held = 0
        self.large_decided = 0  # how many large jobs were given a place or refused

    @property
    def takes_large(self) -> bool:
        """Whether another large job may come, if only to wait here: one at most does so, the others in the queue."""
        return self._long_held <= self._threads.count and not self._budget.large_waiting

    async def in_thread(
        self, source: Path, outputs: Sequence[Output], folder: Path, tell: Tell = tell_nobody
    ) -> Rendering:
        """Renders in this process, once the budget has memory for it. Calls `tell` in a thread, as the engine does.

        Raises what the engine raises, JobTimedOut, OrderTooLarge if the job needs more memory than the whole budget,
        and LargeJobsWaiting.
        """
        share, stop = self._budget.open_share(), Stop()
        begin = partial(self._begin, source, outputs, folder, stop, share, tell)
        begun = await self._timed(begin, self._seconds, share, stop)
        if isinstance(begun, Rendering):
            return begun
        is_long, is_large = begun.cost.is_long, begun.is_large
        self.large_decided += is_large
        if is_large and not (self.takes_large or self._would_begin(begun.needed_bytes, is_long=is_long)):
            raise _another_waits()
        with self._held(is_long):
            share = await self._budget.acquire(begun.needed_bytes, is_large=is_large)
            stop = Stop()
            # Afterwards, memory of this size is returned to the operating system at once.
            make = _make_large if begun.needed_bytes > LARGE_BYTES else _make
            work = partial(make, source, outputs, folder, self._limits, stop, keeps_label=self._keeps_label, tell=tell)
            return await self._timed(work, self._seconds, share, stop, is_large=is_long)

    def _begin(
        self, source: Path, outputs: Sequence[Output], folder: Path, stop: Stop, share: Share, tell: Tell
    ) -> "Rendering | _Appraisal":
        """Renders a small job at once if there is memory for it, which saves opening the file twice. Any other job is
        only appraised."""

        def admit(needed_bytes: int, cost: Cost) -> None:
            check_memory(needed_bytes, self._budget.total_bytes)
            found = _Appraisal(needed_bytes, cost)
            if found.is_large or not share.take(needed_bytes):
                raise _NotYet(found)

        try:
            keeps_label = self._keeps_label
            return _make(source, outputs, folder, self._limits, stop, keeps_label=keeps_label, admit=admit, tell=tell)
        except _NotYet as reason:
            return reason.found

    async def in_process(self, source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
        """Renders in a sandbox process with memory of its own. Raises what SandboxProcess.render raises, and
        LargeJobsWaiting.

        However small the job seems, its thread is one that long jobs may take: it may hang.
        """
        seems_long = await self._timed(partial(_seems_long, source, outputs), self._seconds)
        self.large_decided += 1
        if seems_long and not self.takes_large:
            raise _another_waits()
        with self._held(True):
            stop = Stop()
            work = partial(
                self._process.render, source, outputs, folder, self._limits, stop, keeps_label=self._keeps_label
            )
            seconds = self._process.seconds + PROCESS_MARGIN_SECONDS
            return await self._timed(work, seconds, stop=stop, is_large=True)

    def _would_begin(self, needed_bytes: int, *, is_long: bool) -> bool:
        """Whether a large job would find its thread and its memory at once."""
        return not (is_long and self._long_held >= self._threads.count) and self._budget.has_room(needed_bytes)

    @contextmanager
    def _held(self, is_long: bool) -> Iterator[None]:
        """Counts a job that takes one of the long jobs' threads, while the block lasts."""
        self._long_held += is_long
        try:
            yield
        finally:
            self._long_held -= is_long

    async def _timed(
        self,
        work: Callable[[], T],
        seconds: float,
        share: Share | None = None,
        stop: Stop | None = None,
        *,
        is_large: bool = False,
    ) -> T:
        try:
            return await self._threads.run(work, seconds=seconds, share=share, stop=stop, is_large=is_large)
        except ThreadAbandoned:
            raise JobTimedOut(f"Processing took longer than {seconds:g} s.") from None


def _another_waits() -> LargeJobsWaiting:
    return LargeJobsWaiting("Another large job is already waiting for its turn at this worker.")


def _seems_long(source: Path, outputs: Sequence[Output]) -> bool:
    """Whether a suspicious image makes a long job, as far as its header tells without any decoder. A header that cannot
    be read tells nothing; the sandbox process will say what is wrong with it."""
    try:
        header = read_header_of_file(source)
    except QuickThumbError:
        return False
    return estimate_cost(format=header.format, size=header.upright, outputs=outputs).is_long


def _make(
    source: Path,
    outputs: Sequence[Output],
    folder: Path,
    limits: Limits,
    stop: Stop,
    *,
    keeps_label: bool,
    admit: Admit | None = None,
    tell: Tell = tell_nobody,
) -> Rendering:
    return engine.render(
        source, outputs, folder, limits, checkpoint=stop.check, keeps_label=keeps_label, admit=admit, tell=tell
    )


def _make_large(
    source: Path, outputs: Sequence[Output], folder: Path, limits: Limits, stop: Stop, *, keeps_label: bool, tell: Tell
) -> Rendering:
    """Renders; returns freed memory to the operating system before and after."""
    trim()
    try:
        return _make(source, outputs, folder, limits, stop, keeps_label=keeps_label, tell=tell)
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
