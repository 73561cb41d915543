"""A worker's life apart from its attempts: heartbeats and leases, the watchdog, and shutdown when threads hang."""

import asyncio
import faulthandler
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from quickthumb.model.errors import QuickThumbError, for_operators
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.workers import Report
from quickthumb.sandbox.threads import DaemonThreads
from quickthumb.work.runner import Runner

log = logging.getLogger("quickthumb.worker")

REARMS_BEFORE_THE_END = 5
EXIT_CODE = 1
# How long an action that has begun may go on once the worker stops.
LAST_ACTION_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Loop:
    """Does `action` at once and then every `interval_seconds`, and `at_end` once the loop has ended. Logs the errors
    that these raise, a known one once until it passes, and goes on."""

    name: str
    action: Callable[[], Awaitable[object]]
    interval_seconds: float
    at_end: Callable[[], Awaitable[object]] | None = None

    async def run(self, ending: asyncio.Event) -> None:
        """Runs until `ending` is set. An action that has begun is completed first."""
        told: str | None = None
        while not ending.is_set():
            told = await self._try(self.action, told)
            with anyio.move_on_after(self.interval_seconds):
                await ending.wait()

    async def end(self) -> None:
        """Does what is to be done at the end."""
        if self.at_end is not None:
            await self._try(self.at_end)

    async def _try(self, action: Callable[[], Awaitable[object]], told: str | None = None) -> str | None:
        """Returns what is wrong, or None. Does not log it if it was `told` the last time."""
        try:
            await action()
        except QuickThumbError as error:
            trouble = for_operators(error)
            if trouble != told:
                log.warning("%s: %s", self.name, trouble)
            return trouble
        except Exception:
            log.exception("%s failed", self.name)
        return None


@asynccontextmanager
async def background(*loops: Loop) -> AsyncIterator[None]:
    """Runs the loops in one task group while the block lasts. An action that does not end soon after it is cancelled.

    The task group lives in a task of its own: arq starts and stops its workers in different tasks, but a task group
    must be entered and left in the same task.
    """
    ending = asyncio.Event()

    async def host() -> None:
        async with anyio.create_task_group() as group:
            for loop in loops:
                group.start_soon(loop.run, ending, name=loop.name)
            await ending.wait()
            group.cancel_scope.deadline = anyio.current_time() + LAST_ACTION_SECONDS
        # Not in the loops' own tasks: what they await after a cancellation would be cancelled as well.
        for loop in loops:
            await loop.end()

    hosting = asyncio.create_task(host(), name="background")
    try:
        yield
    finally:
        ending.set()
        await hosting


def heartbeat(
    jobs: JobStore,
    runner: Runner,
    worker: str,
    interval_seconds: float,
    report: Callable[[], Report] | None = None,
) -> Loop:
    """Shows that `worker` is alive, with its `report`, and renews the leases of its running attempts."""

    async def beat() -> None:
        # Leases first, and whatever becomes of the sign of life, since running attempts depend on them.
        try:
            await runner.renew_leases()
        finally:
            said = None if report is None else report()
            if said is None:
                await jobs.heartbeat(worker)
            else:
                await jobs.heartbeat(worker, paused=said.paused_for is not None, report=said.written())

    # Sign off at the end of the loop, since another heartbeat would register the worker again.
    return Loop("heartbeat", beat, interval_seconds, at_end=lambda: jobs.sign_off(worker))


def watchdog(seconds: float) -> Loop:
    """Ends the process, with exit code 1 and a traceback of all threads, when the event loop is blocked for `seconds`.

    A decoder that hangs while it holds the GIL freezes everything: the event loop, the renewal of leases, and every
    thread that could do something about it. `faulthandler` watches the time in a thread that does not need the GIL.
    """

    async def rearm() -> None:
        faulthandler.dump_traceback_later(seconds, exit=True)

    async def disarm() -> None:
        faulthandler.cancel_dump_traceback_later()

    return Loop("watchdog", rearm, seconds / REARMS_BEFORE_THE_END, at_end=disarm)


def begin_shutdown() -> None:
    """Asks arq to stop, as an operator would: the worker takes no more jobs, and its running jobs go back to the
    queue."""
    log.critical("all threads of this worker hang; it takes no more jobs and shuts down, so that it can be replaced")
    signal.raise_signal(signal.SIGTERM)


def complete_shutdown(threads: DaemonThreads) -> None:
    """Ends the process at once if a thread is still working. Call it when everything else is closed.

    A normal exit would tear down Python's interpreter while that thread still uses it.
    """
    if not threads.busy:
        return
    log.warning("%d threads are still working and end with the process", threads.busy)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_CODE if threads.all_abandoned else 0)
