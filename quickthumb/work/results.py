"""Tells the results of a job that are ready while others are still being made.

Only listeners to events learn of them; the files appear together at the end of the job. A quick job, and one with a
single output, costs nothing more: its results are told with its end.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields
from pathlib import Path

from quickthumb.imaging.engine import Made, Rendering, Tell
from quickthumb.model.job import Result
from quickthumb.model.output import Output
from quickthumb.queue.attempts import Attempt
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.events import EventLog

# Results are told together, this long after the first of them.
GATHER_SECONDS = 0.1
# How long the end of the job waits for results that are just being told.
LAST_SECONDS = 1.0
RECEIPT = tuple(field.name for field in fields(Made))

# Renders outputs, off the event loop, and tells each result from there.
RenderAndTell = Callable[[Path, Sequence[Output], Path, Tell], Awaitable[Rendering]]


def result_of(made: Made) -> Result:
    """What is told of a result. `asdict` copies each value, which takes ten times as long."""
    return Result(**{name: getattr(made, name) for name in RECEIPT})


class TellingRender:
    """Renders with `render`, and adds the results to the events meanwhile."""

    def __init__(self, log: EventLog, render: RenderAndTell) -> None:
        self._log = log
        self._render = render

    async def __call__(self, attempt: Attempt, source: Path, outputs: Sequence[Output], folder: Path) -> Rendering:
        """Raises what `render` raises, and nothing for results that could not be told."""
        teller = _Teller(self._log, attempt)
        try:
            return await self._render(source, outputs, folder, teller.tell)
        finally:
            await teller.close()


class _Teller:
    """Gathers the results of one attempt."""

    def __init__(self, log: EventLog, attempt: Attempt) -> None:
        self._log = log
        self._attempt = attempt
        self._loop = asyncio.get_running_loop()
        self._ready: list[Result] = []
        self._timer: asyncio.TimerHandle | None = None
        self._telling: asyncio.Task[None] | None = None

    def tell(self, made: Made) -> None:
        """Called in the thread that renders."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
            self._loop.call_soon_threadsafe(self._gather, made)

    async def close(self) -> None:
        """What was not told yet is told with the end of the job."""
        if self._timer is not None:
            self._timer.cancel()
        if self._telling is not None and not self._telling.done():
            # Before the end of the job, which comes next.
            await asyncio.wait([self._telling], timeout=LAST_SECONDS)
            self._telling.cancel()

    def _gather(self, made: Made) -> None:
        self._ready.append(result_of(made))
        if self._timer is None:
            self._timer = self._loop.call_later(GATHER_SECONDS, self._begin)

    def _begin(self) -> None:
        if self._telling is None or self._telling.done():
            self._timer, ready, self._ready = None, self._ready, []
            self._telling = asyncio.create_task(self._tell(ready), name="results")
        else:  # Redis is slow
            self._timer = self._loop.call_later(GATHER_SECONDS, self._begin)

    async def _tell(self, results: Sequence[Result]) -> None:
        with contextlib.suppress(QueueUnavailable):
            await self._log.tell_results(self._attempt, results)
