"""A worker's signs of life: its heartbeat, and the leases of the jobs it runs."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from quickthumb.errors import QuickThumbError
from quickthumb.jobs.store import JobStore
from quickthumb.service.runner import JobRunner

log = logging.getLogger("quickthumb.worker")


@asynccontextmanager
async def pulse(store: JobStore, runner: JobRunner, worker: str, interval_seconds: float) -> AsyncIterator[None]:
    """While the block lasts, `worker` shows that it is alive and holds on to its jobs, every `interval_seconds`."""
    task = asyncio.create_task(_beat(store, runner, worker, interval_seconds), name="pulse")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        with contextlib.suppress(QuickThumbError):
            await store.sign_off(worker)


async def _beat(store: JobStore, runner: JobRunner, worker: str, interval_seconds: float) -> None:
    while True:
        try:
            await store.beat(worker)
            await runner.renew_leases()
        except QuickThumbError as error:
            log.warning("no sign of life could be given: %s", error.detail)
        await asyncio.sleep(interval_seconds)
