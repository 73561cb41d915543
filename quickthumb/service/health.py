"""Readiness, and the numbers for the metrics. They concern no particular caller's jobs."""

import asyncio
import time
from collections.abc import Awaitable, Sequence

from quickthumb.model.caller import DEFAULT_TENANT, Caller
from quickthumb.model.errors import QuickThumbError
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.tally import Tally, TenantTally
from quickthumb.storage import Storage


class Health:
    """Readiness and numbers for operators. Who may see which of them, the doors decide: these verbs take no caller."""

    def __init__(self, store: JobStore, storage: Storage, tenants: Sequence[str] = ()) -> None:
        """`tenants` are those that the settings name."""
        self._store = store
        self._storage = storage
        self._named = [tenant for tenant in tenants if tenant != DEFAULT_TENANT]

    async def readiness(self) -> dict[str, str]:
        """Everything that is needed to accept and run jobs, each with "ok" or a sentence that says what is wrong."""
        redis, disk, workers = await asyncio.gather(
            _checked(self._store.probe()), _checked(self._storage.probe(writing=True)), self._workers()
        )
        return {"redis": redis, "disk": disk, "workers": workers}

    async def tally(self) -> Tally:
        """The numbers for the metrics, over all tenants. Raises QueueUnavailable."""
        return await self._store.tally()

    async def tenants_tallies(self, caller: Caller) -> dict[str, TenantTally]:
        """The numbers of single tenants that the caller may see: of its own tenant; for one of the default tenant, of
        all that the settings name. So they are never too many for a page. Raises QueueUnavailable."""
        tenants = self._named if caller.runs_deployment else [caller.tenant]
        return dict(zip(tenants, await self._store.tenants_tallies(tenants), strict=True)) if tenants else {}

    async def probe_storage(self) -> float | None:
        """How many seconds a small write to the storage takes; None if the storage is not usable."""
        started = time.perf_counter()
        try:
            await self._storage.probe()
        except QuickThumbError:
            return None
        return time.perf_counter() - started

    async def _workers(self) -> str:
        try:
            if await self._store.live_workers():
                return "ok"
            if paused := await self._store.paused_workers():
                return f"No worker is able to run jobs ({paused} cannot use the storage)."
            return "No worker is running."
        except QuickThumbError as error:
            return error.detail


async def _checked(probe: Awaitable[object]) -> str:
    try:
        await probe
    except QuickThumbError as error:
        return error.detail
    return "ok"
