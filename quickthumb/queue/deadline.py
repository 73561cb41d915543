"""A time limit for one wait after another.

`asyncio.timeout` sets a timer for each wait and cancels it. That costs about a tenth of the CPU of a poll: the loop
takes another turn to be rid of the timer. Here, one timer looks after all waits, and stays when a wait is over.
"""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `end_wait` when a wait has lasted for `seconds` (None: never). `passed` says whether the latest one has."""

    def __init__(self, seconds: float | None, end_wait: Callable[[], object]) -> None:
        self._seconds = seconds
        self._end_wait = end_wait
        # When the present wait must be over, by the clock of the loop; None between two waits.
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.passed = False

    def __enter__(self) -> None:
        self.passed = False
        if self._seconds is not None:
            loop = asyncio.get_running_loop()
            self._due = loop.time() + self._seconds
            # A timer that is set is one for an earlier wait. It fires before this one is due.
            if self._timer is None:
                self._timer = loop.call_at(self._due, self._look, loop)

    def __exit__(self, *_: object) -> None:
        self._due = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._due is None:
            return
        if loop.time() < self._due:
            self._timer = loop.call_at(self._due, self._look, loop)
            return
        self.passed = True
        self._end_wait()
