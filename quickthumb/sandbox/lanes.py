"""Which work a free thread takes next: the oldest that may run, so that large work never takes the last thread."""

import threading
from collections import deque
from itertools import count as counting
from typing import Generic, Protocol, TypeVar


class Work(Protocol):
    """Work for a thread; it does not change its size."""

    @property
    def is_large(self) -> bool: ...


W = TypeVar("W", bound=Work)


class Lanes(Generic[W]):
    """Hands out waiting work to threads, oldest first. Safe to use from any thread.

    `threads` is how many threads are to take work: one more than `count`. At most `count` large pieces, and as many
    small ones, are under way at once. So small work never waits for large work to end, and large work waits only for
    other large work and for the small work that came before it.
    """

    def __init__(self, count: int) -> None:
        self.threads = count + 1
        self._most = count
        self._lock = threading.Lock()
        # Each idle thread waits for a bell of its own. In a queue that several wait for, each entry wakes two of them,
        # and a condition variable is not written in C.
        self._idle: list[threading.Lock] = []
        self._numbers = counting()
        self._large: deque[tuple[int, W]] = deque()
        self._small: deque[tuple[int, W]] = deque()
        self._running: set[W] = set()
        self._is_closed = False

    def put(self, work: W) -> None:
        """Adds work, behind all that waits."""
        with self._lock:
            waiting = self._large if work.is_large else self._small
            waiting.append((next(self._numbers), work))
            self._wake(1)

    def withdraw(self, work: W) -> bool:
        """Takes back work that still waits. Returns False if a thread has it already."""
        with self._lock:
            lane = self._large if work.is_large else self._small
            entry = next((entry for entry in lane if entry[1] is work), None)
            if entry is not None:
                lane.remove(entry)
            return entry is not None

    def take(self) -> W | None:
        """Waits for work that may run, and takes it; None once the lanes are closed and nothing waits any more."""
        bell = threading.Lock()
        bell.acquire()
        while True:
            with self._lock:
                work = self._next()
                if work is not None:
                    self._running.add(work)
                    return work
                if self._is_closed and not self._large and not self._small:
                    return None
                self._idle.append(bell)
            bell.acquire()

    def end(self, work: W) -> bool:
        """Says that work has ended. Returns False if it was abandoned: another thread has taken this one's place."""
        with self._lock:
            if work not in self._running:
                return False
            self._running.remove(work)
            if self._is_closed:
                self._wake(len(self._idle))
            return True

    def abandon(self, work: W) -> bool:
        """Stops counting work that does not end: another thread may be started in place of its own. Returns False if
        the work has ended just now."""
        with self._lock:
            if work not in self._running:
                return False
            self._running.remove(work)
            return True

    def close(self) -> None:
        """Makes `take` return None once nothing waits any more."""
        with self._lock:
            self._is_closed = True
            self._wake(len(self._idle))

    def _wake(self, most: int) -> None:
        """Wakes up to `most` of the threads that wait, the latest first; each looks for work anew."""
        for _ in range(min(most, len(self._idle))):
            self._idle.pop().release()

    def _next(self) -> W | None:
        large = sum(work.is_large for work in self._running)
        open_lanes = [
            lane
            for lane, has_room in (
                (self._large, large < self._most),
                (self._small, len(self._running) - large < self._most),
            )
            if lane and has_room
        ]
        return min(open_lanes, key=lambda lane: lane[0][0]).popleft()[1] if open_lanes else None
