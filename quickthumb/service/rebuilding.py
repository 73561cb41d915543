"""Tells jobs that do not exist from those that Redis has lost and does not have again yet."""

from collections.abc import Sequence

from quickthumb.model.caller import Caller
from quickthumb.model.job import is_id, tenant_in
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.repair import RepairLead
from quickthumb.storage import Storage


class Rebuilding:
    """What the storage knows of jobs while a wiped Redis is rebuilt. Nothing is asked for jobs that Redis knows."""

    def __init__(self, lead: RepairLead, storage: Storage) -> None:
        self._lead = lead
        self._storage = storage

    async def check(self, caller: Caller, job_ids: Sequence[str]) -> None:
        """Raises QueueUnavailable if the caller has all of these jobs, of which Redis lacks some, and Redis is not
        rebuilt; or if Redis is unreachable. One round trip when Redis is complete, as it is nearly always."""
        if not all(map(is_id, job_ids)) or await self._lead.is_rebuilt():
            return
        records = [kept.record for kept in await self._storage.records(job_ids)]
        if all(record is not None and _may_see(caller, tenant_in(record)) for record in records):
            raise QueueUnavailable("Redis has lost data, and does not have all jobs again yet.")


def _may_see(caller: Caller, tenant: str | None) -> bool:
    return tenant is not None and (tenant == caller.tenant or caller.is_bearer_of_url)
