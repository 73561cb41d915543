"""Redis answers, but takes no writes: it became a replica, its memory is full, or its replicas have gone."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.chaos.conftest import Scale
from tests.chaos.fleet import Fleet
from tests.chaos.pictures import slow_job, small_picture
from tests.chaos.report import Report
from tests.chaos.uploads import Kind, Stream
from tests.chaos.verdict import judge
from tests.waiting import wait_until

# What makes Redis refuse, and what ends that. Nobody listens on port 1.
REFUSALS = {
    "READONLY": (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]),
    "OOM": (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
    "NOREPLICAS": (["CONFIG", "SET", "min-replicas-to-write", "1"], ["CONFIG", "SET", "min-replicas-to-write", "0"]),
}
NOTICED_SECONDS = 5.0
RESUMED_SECONDS = 20.0


@pytest.mark.timeout(300)
async def test_a_redis_that_takes_no_writes_stops_the_service_only_while_it_does(
    tmp_path: Path, chance: random.Random, report: Report, scale: Scale
) -> None:
    stream = Stream()
    async with Fleet(tmp_path, worker_threads=1) as fleet:
        [worker] = fleet.workers
        pid = worker.pid
        for refusal in REFUSALS:
            # One is running when it begins, the others wait.
            await stream.accept(fleet.client, *slow_job(chance, outputs=4))
            for _ in range(3):
                await stream.accept(fleet.client, small_picture(chance))
            await _stand(fleet, stream, chance, report, refusal, scale.refusal_seconds)
            assert (worker.alive, worker.pid) == (True, pid)
        await judge(fleet, stream, report)
        assert "POST /images/" in fleet.web.said


async def _stand(
    fleet: Fleet, stream: Stream, chance: random.Random, report: Report, refusal: str, seconds: float
) -> None:
    [worker] = fleet.workers
    said_before = len(worker.said)
    async with _refusing(fleet, refusal, report):
        await wait_until(lambda: _is_red(fleet), seconds=NOTICED_SECONDS)
        await _refused_for(fleet, stream, chance, seconds)
        await wait_until(lambda: "WARNING" in worker.said[said_before:], seconds=NOTICED_SECONDS)
    ended_at = time.time()
    await wait_until(lambda: _is_green(fleet), seconds=RESUMED_SECONDS)
    report.took(f"{refusal} over: until /readyz is green", time.time() - ended_at)
    for accepted in stream.accepted:
        await fleet.until(accepted.job_id, "DONE")
    report.took(f"{refusal} over: until all that waited is DONE", time.time() - ended_at)


async def _refused_for(fleet: Fleet, stream: Stream, chance: random.Random, seconds: float) -> None:
    """Uploads all the while, each of which must be refused in the right way."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        sent = await stream.send(fleet.client, small_picture(chance))
        assert (sent.kind, sent.status) == (Kind.REFUSED, 503)
        assert sent.retry_after
        assert await _is_red(fleet)
        await asyncio.sleep(seconds / 10)


@asynccontextmanager
async def _refusing(fleet: Fleet, refusal: str, report: Report) -> AsyncIterator[None]:
    begin, end = REFUSALS[refusal]
    report.fault(f"Redis answers {refusal}")
    await fleet.store.execute_command(*begin)
    try:
        yield
    finally:
        await fleet.store.execute_command(*end)


async def _is_red(fleet: Fleet) -> bool:
    return (await fleet.client.get("/readyz")).status_code == httpx.codes.SERVICE_UNAVAILABLE


async def _is_green(fleet: Fleet) -> bool:
    return (await fleet.client.get("/readyz")).status_code == httpx.codes.OK
