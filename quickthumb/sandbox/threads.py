"""Threads that pictures are made in, of which some may never come back.

A decoder that hangs cannot be ended: its thread is left behind, and counted as lost. An executor of the standard
library would wait for it when the process ends; these threads are daemons, which the end does not wait for.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from quickthumb.model.errors import NotServing

log = logging.getLogger("quickthumb.worker")

T = TypeVar("T")


class LeftBehind(Exception):
    """The work took too long, and its thread was left behind with it."""


class Holding(Protocol):
    """What some work holds on to while it is done."""

    def write_off(self) -> None:
        """The thread hangs with it."""

    def give_back(self) -> None:
        """The work is over, or will not be begun."""


@dataclass(eq=False, slots=True)
class _Call:
    work: Callable[[], Any]
    seconds: float
    holding: Holding | None
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[Any]"
    timer: asyncio.TimerHandle | None = field(default=None)
    is_lost: bool = False

    def settle(self, result: object, error: BaseException | None = None) -> None:
        """Tells whoever still waits for it."""
        if self.answer.done():
            return
        if error is None:
            self.answer.set_result(result)
        else:
            self.answer.set_exception(error)

    def let_go(self) -> None:
        if self.holding is not None:
            self.holding.give_back()


class DaemonThreads:
    """`count` threads. `when_all_are_lost` is called once none of them is left to work.

    Its methods are for one event loop.
    """

    def __init__(self, count: int, when_all_are_lost: Callable[[], None]) -> None:
        self._count = count
        self._when_all_are_lost = when_all_are_lost
        self._queue: SimpleQueue[_Call | None] = SimpleQueue()
        self._waiting: set[_Call] = set()
        self._at_work: set[_Call] = set()
        for number in range(1, count + 1):
            threading.Thread(target=self._serve, name=f"picture-{number}", daemon=True).start()

    @property
    def lost(self) -> int:
        """How many threads are left behind."""
        return sum(call.is_lost for call in self._at_work)

    @property
    def all_lost(self) -> bool:
        return self.lost == self._count

    @property
    def busy(self) -> int:
        """How many threads are at work, those included that are left behind."""
        return len(self._at_work)

    async def run(self, work: Callable[[], T], *, seconds: float, holding: Holding | None = None) -> T:
        """What `work` answers or raises, done in the next thread that is free.

        Raises LeftBehind when the work is not done `seconds` after its beginning, and NotServing when there is no
        thread left to do it. `holding` is taken care of, whatever happens, even when nobody waits any more.
        """
        loop = asyncio.get_running_loop()
        call = _Call(work, seconds, holding, loop, loop.create_future())
        self._waiting.add(call)
        if self.all_lost:
            self._turn_away(call)
        else:
            self._queue.put(call)
        answer: T = await call.answer
        return answer

    def close(self) -> None:
        """Lets the threads end, each after what it is doing."""
        for _ in range(self._count):
            self._queue.put(None)

    def _serve(self) -> None:
        """What a thread does, all its life."""
        while (call := self._queue.get()) is not None:
            # A closed loop means that the process is ending: nobody wants to know.
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
        except BaseException as error:  # whatever it is belongs to whoever asked for the work
            tell(self._has_ended, call, None, error)
        else:
            tell(self._has_ended, call, result, None)

    def _has_begun(self, call: _Call) -> None:
        self._waiting.discard(call)
        self._at_work.add(call)
        call.timer = call.loop.call_later(call.seconds, self._is_overdue, call)

    def _has_ended(self, call: _Call, result: object, error: BaseException | None) -> None:
        self._at_work.discard(call)
        if call.timer is not None:
            call.timer.cancel()
        if call.is_lost:
            log.warning("a thread that was left behind has come back")
        call.let_go()
        call.settle(result, error)

    def _is_overdue(self, call: _Call) -> None:
        call.is_lost = True
        log.error("a thread hangs after %g s and is left behind: %d of %d", call.seconds, self.lost, self._count)
        if call.holding is not None:
            call.holding.write_off()
        call.settle(None, LeftBehind())
        if self.all_lost:
            for waiting in list(self._waiting):
                self._turn_away(waiting)
            self._when_all_are_lost()

    def _turn_away(self, call: _Call) -> None:
        if call in self._waiting:
            self._waiting.discard(call)
            call.let_go()
        call.settle(None, NotServing("This worker has lost all its threads to pictures that hang."))
