"""Keeps one child running: relays its output, starts it again when it dies, ends it when asked to."""

import asyncio
import signal
import time

from quickthumb.cli.child import Child, Started, lines, start
from quickthumb.cli.log import Log
from quickthumb.cli.mistakes import UserMistake

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 30.0
READY_POLL_SECONDS = 0.05
LAST_WORDS_SECONDS = 1.0


class NotStarted(UserMistake):
    """A child did not come up the first time; starting it again and again would only hide why."""


class Keeper:
    """Keeps `child` running from `begin()` to `stop()`. When `hurry` is set, nothing is waited for."""

    def __init__(self, child: Child, log: Log, hurry: asyncio.Event) -> None:
        self._child = child
        self._log = log
        self._hurry = hurry
        self._stopping = asyncio.Event()
        self._is_up = child.is_ready is None
        self._fate: str | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the child: SIGTERM, its grace, then SIGKILL to its whole group. Returns when nothing of it is left."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def until_ready(self, seconds: float) -> None:
        """Return when the child is ready. Raises NotStarted if it ends first, or is not ready after `seconds`."""
        deadline = time.monotonic() + seconds
        while not self._is_up:
            self._is_up = self._child.is_ready is None or await self._child.is_ready()
            if self._fate is not None:
                raise NotStarted(f"{self._child.name} {self._fate} before it was ready; its last lines say why.")
            if time.monotonic() > deadline:
                raise NotStarted(f"{self._child.name} was not ready after {seconds:g} s.")
            await asyncio.sleep(READY_POLL_SECONDS)

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            self._fate = await self._live()
            if self._stopping.is_set() or not self._is_up:
                return
            if time.monotonic() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._log.tell(f"{self._child.name} {self._fate}; starting it again in {pause:g} s")
            await _happens(self._stopping, pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _live(self) -> str:
        """One life of the child, to its end; says how it ended."""
        try:
            started = await start(self._child)
        except OSError as error:
            return f"could not be started ({error.strerror})"
        relaying = asyncio.create_task(self._relay(started))
        ended = asyncio.create_task(started.process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not ended.done():
            await self._end(started, ended)
        started.kill_group()  # what it started and left behind
        await asyncio.wait({relaying}, timeout=LAST_WORDS_SECONDS)
        relaying.cancel()
        started.pipe.close()
        return _how_it_ended(ended.result())

    async def _end(self, started: Started, ended: "asyncio.Task[int]") -> None:
        started.terminate()
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({ended, hurry}, timeout=self._child.grace_seconds, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            self._log.tell(f"{self._child.name} has not ended in time and is killed")
            started.kill_group()
            await ended
        hurry.cancel()

    async def _relay(self, started: Started) -> None:
        stamp = self._child.stamp
        async for line in lines(started.output):
            self._log.line(self._child.name, stamp.sub("", line, count=1) if stamp else line)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
