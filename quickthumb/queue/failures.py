"""The jobs that FAILED and are still kept, by the code of their error."""

from collections.abc import Mapping
from dataclasses import dataclass

from redis.asyncio import Redis

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Status
from quickthumb.queue.connection import translated
from quickthumb.queue.index import BATCH
from quickthumb.queue.keys import JOB, KEYS, Keys
from quickthumb.queue.script import RegisteredScript


@dataclass(frozen=True, slots=True)
class Kept:
    """How many of the jobs had one error, and the newest of them: one of the default tenant, if there is one."""

    count: int
    job_id: str
    tenant: str


@dataclass(frozen=True, slots=True)
class KeptFailures:
    """The newest jobs that FAILED, `counted` of `kept` in all, by the code of their error."""

    kept: int
    counted: int
    by_code: Mapping[str, Kept]


class FailedJobs:
    """Looks through the FAILED jobs of all tenants."""

    def __init__(self, redis: Redis, keys: Keys = KEYS) -> None:
        self._keys = keys
        self._failures = RegisteredScript(redis, "failures")

    async def newest(self, most: int) -> KeptFailures:
        """Counts the newest `most`, which is a multiple of BATCH. One round trip for each BATCH, in which Redis does
        nothing else for about a millisecond. Raises QueueUnavailable."""
        last, kept, counted = b"", 0, 0
        by_code: dict[str, Kept] = {}
        for _ in range(0, most, BATCH):
            async with translated():
                last, number, kept, codes = await self._failures(
                    index=self._keys.index(JOB, Status.FAILED),
                    record_prefix=self._keys.record(JOB, ""),
                    last=last,
                    most=BATCH,
                )
            counted += number
            for code, count, job_id, tenant in codes:
                found = Kept(count, job_id.decode(), tenant.decode() or DEFAULT_TENANT)
                by_code[code.decode()] = _together(by_code.get(code.decode()), found)
            if not last:
                break
        return KeptFailures(kept, counted, by_code)


def _together(newer: Kept | None, older: Kept) -> Kept:
    if newer is None:
        return older
    shown = older if newer.tenant != DEFAULT_TENANT == older.tenant else newer
    return Kept(newer.count + older.count, shown.job_id, shown.tenant)
