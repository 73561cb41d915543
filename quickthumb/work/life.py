"""A worker's life beside its attempts: heartbeats and leases, the watchdog, and the end of one whose threads hang."""

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

from quickthumb.model.errors import QuickThumbError
from quickthumb.queue.jobs import JobStore
from quickthumb.sandbox.threads import DaemonThreads
from quickthumb.work.runner import Runner

log = logging.getLogger("quickthumb.worker")

REARMS_BEFORE_THE_END = 5
EXIT_CODE = 1


@dataclass(frozen=True, slots=True)
class Loop:
    """Does `action` at once and then every `interval_seconds`; does `at_end` when it is over. Logs what goes wrong."""

    name: str
    action: Callable[[], Awaitable[object]]
    interval_seconds: float
    at_end: Callable[[], Awaitable[object]] | None = None

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        try:
            while True:
                await self._try(self.action)
                await anyio.sleep(self.interval_seconds)
        finally:
            if self.at_end is not None:
                with anyio.CancelScope(shield=True):
                    await self._try(self.at_end)

    async def _try(self, action: Callable[[], Awaitable[object]]) -> None:
        try:
            await action()
        except QuickThumbError as error:
            log.warning("%s: %s", self.name, error.detail)
        except Exception:
            log.exception("%s went wrong", self.name)


@asynccontextmanager
async def background(*loops: Loop) -> AsyncIterator[None]:
    """Runs the loops while the block lasts, in one task group.

    A task of its own hosts the group: arq begins and ends its workers in different tasks, and a task group must be
    entered and left in the same one.
    """
    ending = asyncio.Event()

    async def host() -> None:
        async with anyio.create_task_group() as group:
            for loop in loops:
                group.start_soon(loop.run, name=loop.name)
            await ending.wait()
            group.cancel_scope.cancel()

    hosting = asyncio.create_task(host(), name="background")
    try:
        yield
    finally:
        ending.set()
        await hosting


def heartbeat(jobs: JobStore, runner: Runner, worker: str, interval_seconds: float) -> Loop:
    """Shows that `worker` is alive, and renews the leases of what it runs."""

    async def beat() -> None:
        await jobs.heartbeat(worker)
        await runner.renew_leases()

    # At the end, since another heartbeat would sign it on again.
    return Loop("heartbeat", beat, interval_seconds, at_end=lambda: jobs.sign_off(worker))


def watchdog(seconds: float) -> Loop:
    """Ends the process, with exit code 1 and a traceback of all threads, when the event loop is stuck for `seconds`.

    A decoder that hangs while it holds Python's lock freezes everything: the event loop, the leases, and every thread
    that could do something about it. `faulthandler` keeps its time in a thread that needs no lock.
    """

    async def rearm() -> None:
        faulthandler.dump_traceback_later(seconds, exit=True)

    async def disarm() -> None:
        faulthandler.cancel_dump_traceback_later()

    return Loop("watchdog", rearm, seconds / REARMS_BEFORE_THE_END, at_end=disarm)


def begin_shutdown() -> None:
    """Asks arq to stop, as an operator would: it takes no more jobs, and its others go back to the queue."""
    log.critical("all threads of this worker hang: it takes no more jobs, and ends to be replaced")
    signal.raise_signal(signal.SIGTERM)


def complete_shutdown(threads: DaemonThreads) -> None:
    """Ends the process at once, when everything else is closed, if a thread is still at work: Python would take its own
    machinery apart around it."""
    if not threads.busy:
        return
    log.warning("%d threads are still at work, and end with the worker", threads.busy)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_CODE if threads.all_abandoned else 0)
