"""The threads that images are rendered in, and how to stop or abandon them.

Python cannot kill a thread. Work that nobody waits for any more is asked to stop, which it does at its next step. A
decoder that hangs never reaches one: after its time, its thread is abandoned. An executor of the standard library
would wait for that thread when the process exits; these are daemon threads, which Python does not wait for.
"""

import asyncio
import contextlib
import logging
import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from quickthumb.model.errors import NotServing
from quickthumb.sandbox.memory import Share

log = logging.getLogger("quickthumb.worker")

# Where a container is told its share of the processors: "max 100000", or "150000 100000" for one and a half.
CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")

T = TypeVar("T")


class ThreadAbandoned(Exception):
    """The work exceeded its time, and its thread was abandoned."""


class Stopped(Exception):
    """The work ended early because it was asked to stop."""


class Stop:
    """Asks work in another thread to stop. Made for one call; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_asked = False
        self._callbacks: list[Callable[[], None]] = []

    def ask(self) -> None:
        """From now on `check` raises. Runs the registered callbacks; asking again does nothing."""
        with self._lock:
            self._is_asked = True
            callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                callback()

    def check(self) -> None:
        """A step of the work. Raises Stopped when the work is to stop."""
        if self._is_asked:
            raise Stopped

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Within the block, `ask` runs `callback`; at once if it was asked before. Never runs it after the block.

        `callback` must be quick and must not use this object.
        """
        with self._lock:
            if self._is_asked:
                callback()
            else:
                self._callbacks.append(callback)
        try:
            yield
        finally:
            with self._lock, contextlib.suppress(ValueError):
                self._callbacks.remove(callback)


@dataclass(eq=False, slots=True)
class _Call:
    work: Callable[[], Any]
    seconds: float
    share: Share | None
    stop: Stop
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[Any]"
    timer: asyncio.TimerHandle | None = None
    is_abandoned: bool = False

    def settle(self, result: object, error: BaseException | None = None) -> None:
        """Answers the caller, if it still waits."""
        if self.answer.done():
            return
        if error is None:
            self.answer.set_result(result)
        else:
            self.answer.set_exception(error)

    def release(self) -> None:
        if self.share is not None:
            self.share.release()


class DaemonThreads:
    """A pool of `count` threads. Calls `when_all_are_abandoned` once no thread is left to work.

    Its methods are for one event loop.
    """

    def __init__(self, count: int, when_all_are_abandoned: Callable[[], None]) -> None:
        self._count = count
        self._when_all_are_abandoned = when_all_are_abandoned
        self._queue: SimpleQueue[_Call | None] = SimpleQueue()
        self._waiting: set[_Call] = set()
        self._running: set[_Call] = set()
        for number in range(1, count + 1):
            threading.Thread(target=self._serve, name=f"picture-{number}", daemon=True).start()

    @property
    def abandoned(self) -> int:
        """How many threads are abandoned."""
        return sum(call.is_abandoned for call in self._running)

    @property
    def all_abandoned(self) -> bool:
        return self.abandoned == self._count

    @property
    def busy(self) -> int:
        """How many threads are at work, the abandoned ones included."""
        return len(self._running)

    async def run(
        self, work: Callable[[], T], *, seconds: float, share: Share | None = None, stop: Stop | None = None
    ) -> T:
        """Does `work` in the next free thread, and returns or raises what it does.

        Raises ThreadAbandoned when the work is not done `seconds` after it began, and NotServing when no thread is
        left to do it. Asks `stop` as soon as nobody waits for the answer any more: the call was cancelled or its thread
        abandoned. Work that was cancelled before it began never begins. Releases `share` in any case, once the thread
        has let go of the work.
        """
        loop = asyncio.get_running_loop()
        call = _Call(work, seconds, share, stop or Stop(), loop, loop.create_future())
        self._waiting.add(call)
        if self.all_abandoned:
            self._turn_away(call)
        else:
            self._queue.put(call)
        try:
            answer: T = await call.answer
        finally:
            call.stop.ask()  # from here on nobody waits for the work
        return answer

    def close(self) -> None:
        """Ends each thread after the work that it has."""
        for _ in range(self._count):
            self._queue.put(None)

    def _serve(self) -> None:
        """The life of one thread."""
        while (call := self._queue.get()) is not None:
            # A closed loop means that the process is ending: nobody waits for the answer.
            with contextlib.suppress(RuntimeError):
                self._do(call)
            del call  # or the idle thread would keep the pictures

    def _do(self, call: _Call) -> None:
        tell = call.loop.call_soon_threadsafe
        if call.answer.done():
            tell(self._turn_away, call)
            return
        tell(self._has_begun, call)
        try:
            result = call.work()
        except BaseException as error:  # whatever it is belongs to the caller
            tell(self._has_ended, call, None, error)
        else:
            tell(self._has_ended, call, result, None)

    def _has_begun(self, call: _Call) -> None:
        self._waiting.discard(call)
        self._running.add(call)
        call.timer = call.loop.call_later(call.seconds, self._is_overdue, call)

    def _has_ended(self, call: _Call, result: object, error: BaseException | None) -> None:
        self._running.discard(call)
        if call.timer is not None:
            call.timer.cancel()
        if call.is_abandoned:
            log.warning("an abandoned thread finished")
        call.release()
        call.settle(result, error)

    def _is_overdue(self, call: _Call) -> None:
        call.is_abandoned = True
        log.error("abandoned a thread after %g s: %d of %d are abandoned", call.seconds, self.abandoned, self._count)
        if call.share is not None:
            call.share.abandon()
        call.settle(None, ThreadAbandoned())
        if self.all_abandoned:
            for waiting in list(self._waiting):
                self._turn_away(waiting)
            self._when_all_are_abandoned()

    def _turn_away(self, call: _Call) -> None:
        if call in self._waiting:
            self._waiting.discard(call)
            call.release()
        call.settle(None, NotServing("All threads of this worker are stuck in images that do not finish."))


def available_cores(quota: Path = CGROUP_QUOTA) -> int:
    """How many cores this process may use: those of the machine, less what its affinity or its container denies."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, _container_cores(quota) or affinity))


def _container_cores(quota: Path) -> int | None:
    try:
        allowed, _, period = quota.read_text(encoding="ascii").strip().partition(" ")
        return None if allowed == "max" else math.ceil(int(allowed) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None
