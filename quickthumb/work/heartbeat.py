"""A worker's signs of life: its heartbeat, and the leases of the jobs it runs."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from quickthumb.model.errors import QuickThumbError
from quickthumb.queue.store import JobStore
from quickthumb.work.background import repeated
from quickthumb.work.runner import JobRunner


@asynccontextmanager
async def pulse(store: JobStore, runner: JobRunner, worker: str, interval_seconds: float) -> AsyncIterator[None]:
    """While the block lasts, `worker` shows that it is alive and holds on to its jobs, every `interval_seconds`."""

    async def beat() -> None:
        await store.beat(worker)
        await runner.renew_leases()

    try:
        async with repeated("pulse", beat, interval_seconds):
            yield
    finally:
        # After the last beat, which would sign it on again.
        with contextlib.suppress(QuickThumbError):
            await store.sign_off(worker)
