"""The threads that render images, and how to stop or abandon them.

Python cannot kill a thread. Work that nobody waits for any more is asked to stop, and stops at its next step. A
decoder that hangs never reaches a next step: when its time is up, its thread is abandoned, and another takes its
place. The executors of the standard library would wait for an abandoned thread when the process exits; these are daemon
threads, which Python does not wait for.
"""

import asyncio
import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count as counting
from pathlib import Path
from typing import Any, TypeVar

from quickthumb.model.errors import NotServing
from quickthumb.sandbox.lanes import Lanes
from quickthumb.sandbox.memory import Share

log = logging.getLogger("quickthumb.worker")

# Where a container finds its CPU quota: "max 100000", or "150000 100000" for one and a half cores.
CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")

T = TypeVar("T")


class ThreadAbandoned(Exception):
    """The work took too long, and its thread was abandoned."""


class Stopped(Exception):
    """The work ended early because it was asked to stop."""


class Stop:
    """Asks work in another thread to stop. Use one object per call; it is safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_asked = False
        self._callbacks: list[Callable[[], None]] = []

    def ask(self) -> None:
        """Makes `check` raise from now on, and runs the registered callbacks. Asking again does nothing."""
        with self._lock:
            self._is_asked = True
            callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                callback()

    def check(self) -> None:
        """Raises Stopped once `ask` was called. The work calls this at every step."""
        if self._is_asked:
            raise Stopped

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Makes `ask` run `callback` within the block, or runs it now if `ask` was called before. Never runs it later.

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
    is_large: bool
    share: Share | None
    stop: Stop
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[Any]"
    timer: asyncio.TimerHandle | None = None
    begun_at: float | None = None  # by the monotonic clock, once a thread has begun with it
    is_abandoned: bool = False

    def settle(self, result: object, error: BaseException | None = None) -> None:
        """Answers the caller if it is still waiting."""
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
    """A pool of threads for `count` calls at once. Calls `when_all_are_abandoned` once that many are abandoned.

    One more thread runs small calls while `count` large ones are running: see `Lanes`. For use within one event loop.
    """

    def __init__(self, count: int, when_all_are_abandoned: Callable[[], None]) -> None:
        self.count = count
        self._when_all_are_abandoned = when_all_are_abandoned
        self._lanes: Lanes[_Call] = Lanes(count)
        self._numbers = counting(1)
        self._calls: set[_Call] = set()  # those that wait, and those whose thread has not ended
        for _ in range(self._lanes.threads):
            self._start_thread()

    @property
    def abandoned(self) -> int:
        """How many threads are abandoned."""
        return sum(call.is_abandoned for call in self._calls)

    @property
    def all_abandoned(self) -> bool:
        return self.abandoned >= self.count

    @property
    def most(self) -> int:
        """How many threads are to work at once."""
        return self._lanes.threads

    @property
    def busy(self) -> int:
        """How many threads are working, including abandoned ones."""
        return sum(call.begun_at is not None for call in self._calls)

    async def run(
        self,
        work: Callable[[], T],
        *,
        seconds: float,
        share: Share | None = None,
        stop: Stop | None = None,
        is_large: bool = False,
    ) -> T:
        """Runs `work` in the next thread that is free for it; returns what it returns and raises what it raises.

        Raises ThreadAbandoned if the work is not done `seconds` after it started, and NotServing once as many threads
        are abandoned as there should be. Asks `stop` as soon as nobody waits for the result any more: the call was
        cancelled or its thread abandoned. Work that is cancelled before it starts never starts. Always releases
        `share`, once the thread has finished the work or it is certain that the work will never start.
        """
        loop = asyncio.get_running_loop()
        call = _Call(work, seconds, is_large, share, stop or Stop(), loop, loop.create_future())
        if self.all_abandoned:
            call.release()
            raise _all_stuck()
        self._calls.add(call)
        call.timer = loop.call_later(seconds, self._look_at, call)
        self._lanes.put(call)
        try:
            answer: T = await call.answer
        except asyncio.CancelledError:
            self._withdraw(call)
            raise
        finally:
            call.stop.ask()  # from here on nobody waits for the work
        return answer

    def close(self) -> None:
        """Ends the threads once they have done the work that is queued."""
        self._lanes.close()

    def _start_thread(self) -> None:
        threading.Thread(target=self._serve, name=f"picture-{next(self._numbers)}", daemon=True).start()

    def _serve(self) -> None:
        """What each thread runs."""
        while (call := self._lanes.take()) is not None:
            # The loop is closed: the process is ending, and nobody waits for the answer.
            with contextlib.suppress(RuntimeError):
                self._do(call)
            if not self._lanes.end(call):
                return
            del call  # or the idle thread would keep the pictures alive

    def _do(self, call: _Call) -> None:
        result, failure = None, None
        if not call.answer.done():
            call.begun_at = time.monotonic()
            try:
                result = call.work()
            except BaseException as error:  # all of them are for the caller
                failure = error
        call.loop.call_soon_threadsafe(self._has_ended, call, result, failure)

    def _has_ended(self, call: _Call, result: object, error: BaseException | None) -> None:
        if call.is_abandoned:
            log.warning("an abandoned thread finished")
        self._forget(call)
        call.settle(result, error)

    def _look_at(self, call: _Call) -> None:
        """Abandons a call's thread if its time is up. A call that has not begun yet has all its time left."""
        left_seconds = call.seconds
        if call.begun_at is not None:
            left_seconds -= time.monotonic() - call.begun_at
        if left_seconds > 0:
            call.timer = call.loop.call_later(left_seconds, self._look_at, call)
        elif self._lanes.abandon(call):
            self._abandon(call)

    def _abandon(self, call: _Call) -> None:
        call.is_abandoned = True
        log.error("abandoned a thread after %g s; %d of %d are abandoned", call.seconds, self.abandoned, self.count)
        if call.share is not None:
            call.share.abandon()
        call.settle(None, ThreadAbandoned())
        if self.all_abandoned:
            # A large call that took the place of an abandoned one would hold up the end of the worker.
            for other in [other for other in self._calls if other.is_large or other.begun_at is None]:
                self._withdraw(other)
                other.settle(None, _all_stuck())
            self._when_all_are_abandoned()
        self._start_thread()

    def _withdraw(self, call: _Call) -> None:
        """Takes a call back if no thread has it yet."""
        if self._lanes.withdraw(call):
            self._forget(call)

    def _forget(self, call: _Call) -> None:
        self._calls.discard(call)
        if call.timer is not None:
            call.timer.cancel()
        call.release()


def _all_stuck() -> NotServing:
    return NotServing("All threads of this worker are stuck on images that never finish.")


def available_cores(quota: Path = CGROUP_QUOTA) -> int:
    """How many cores this process may use: those of its CPU affinity, or fewer if its container has a quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, _container_cores(quota) or affinity))


def _container_cores(quota: Path) -> int | None:
    try:
        allowed, _, period = quota.read_text(encoding="ascii").strip().partition(" ")
        return None if allowed == "max" else math.ceil(int(allowed) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None
