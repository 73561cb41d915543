"""Runs groups of child processes: starts them in order, restarts those that die, stops them in reverse order."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Sequence

from quickthumb.cli.child import Child, RunningChild, lines, start
from quickthumb.cli.command import UserMistake
from quickthumb.cli.log import Log

# Redis may have to load a large append-only file, and Python to import its modules from a cold disk.
READY_SECONDS = 120.0
MIN_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 10.0
# A child that ran for this long starts again with the shortest backoff.
STABLE_SECONDS = 30.0
READY_POLL_SECONDS = 0.05
# How long to wait for the last output of a child that has exited.
DRAIN_SECONDS = 1.0


class NotStarted(UserMistake):
    """A child failed its first start; restarting it again and again would only hide the cause."""


class Supervisor:
    """Keeps `groups` of children running. A group starts once every child of the group before it is ready."""

    def __init__(self, groups: Sequence[Sequence[Child]], log: Log, announce: Callable[[], None]) -> None:
        self._groups = groups
        self._log = log
        self._announce = announce
        self._started: list[list[SupervisedProcess]] = []
        self._stopping = asyncio.Event()
        self._force = asyncio.Event()

    def stop(self) -> None:
        """Shut down gracefully; when called again, kill what still runs."""
        if self._stopping.is_set():
            self._force.set()
            return
        self._log.tell("stopping (press Ctrl-C again to force)")
        self._stopping.set()

    async def run(self) -> None:
        """Run until `stop()`; call `announce` once all children are ready. Leaves no process behind.

        Raises NotStarted if a child fails its first start.
        """
        starting = asyncio.create_task(self._start_all())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not self._stopping.is_set():
                starting.result()
            await stopping
        finally:
            stopping.cancel()
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await starting
            await self._stop_all()

    async def _start_all(self) -> None:
        for group in self._groups:
            processes = [SupervisedProcess(child, self._log, self._force) for child in group]
            self._started.append(processes)
            for process in processes:
                process.start()
            await asyncio.gather(*(process.wait_until_ready(READY_SECONDS) for process in processes))
        self._announce()

    async def _stop_all(self) -> None:
        failures: list[BaseException] = []
        for processes in reversed(self._started):
            ends = await asyncio.gather(*(process.stop() for process in processes), return_exceptions=True)
            failures.extend(end for end in ends if end is not None)
        if failures:
            raise failures[0]


class SupervisedProcess:
    """Keeps `child` running from `start()` to `stop()`. Once `force` is set, it kills the child instead of waiting."""

    def __init__(self, child: Child, log: Log, force: asyncio.Event) -> None:
        self._child = child
        self._log = log
        self._force = force
        self._stopping = asyncio.Event()
        self._is_up = child.is_ready is None
        self._exit_reason: str | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Send SIGTERM, and after the grace period SIGKILL to its whole group. Return once none of it is left."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def wait_until_ready(self, seconds: float) -> None:
        """Return when the child is ready. Raises NotStarted if it exits first, or is not ready after `seconds`."""
        deadline = time.monotonic() + seconds
        while not self._is_up:
            self._is_up = self._child.is_ready is None or await self._child.is_ready()
            if self._exit_reason is not None:
                raise NotStarted(f"{self._child.name} {self._exit_reason} before it was ready; its log says why.")
            if time.monotonic() > deadline:
                raise NotStarted(f"{self._child.name} was not ready after {seconds:g} s.")
            await asyncio.sleep(READY_POLL_SECONDS)

    async def _run(self) -> None:
        backoff = MIN_BACKOFF_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            self._exit_reason = await self._run_once()
            if self._stopping.is_set() or not self._is_up:
                return
            if time.monotonic() - began > STABLE_SECONDS:
                backoff = MIN_BACKOFF_SECONDS
            self._log.tell(f"{self._child.name} {self._exit_reason}; restarting in {backoff:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff)
            backoff = min(2 * backoff, MAX_BACKOFF_SECONDS)

    async def _run_once(self) -> str:
        """Run the child until it exits, and return the reason."""
        try:
            running = await start(self._child)
        except OSError as error:
            return f"could not start ({error.strerror})"
        relaying = asyncio.create_task(self._relay(running))
        ended = asyncio.create_task(running.process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not ended.done():
            await self._stop_child(running, ended)
        running.kill_group()  # the child is gone, but it may have left processes behind
        await asyncio.wait({relaying}, timeout=DRAIN_SECONDS)
        relaying.cancel()
        running.pipe.close()
        return _exit_reason_of(ended.result())

    async def _stop_child(self, running: RunningChild, ended: "asyncio.Task[int]") -> None:
        running.terminate()
        force = asyncio.create_task(self._force.wait())
        await asyncio.wait({ended, force}, timeout=self._child.grace_seconds, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            self._log.tell(f"{self._child.name} did not stop in time; killing it")
            running.kill_group()
            await ended
        force.cancel()

    async def _relay(self, running: RunningChild) -> None:
        prefix, noise = self._child.log_prefix, self._child.noise
        async for line in lines(running.output):
            text = prefix.sub("", line, count=1) if prefix else line
            if not (noise and noise.match(text)):
                self._log.line(self._child.name, text)


def _exit_reason_of(code: int) -> str:
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
