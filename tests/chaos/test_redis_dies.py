"""Redis goes away and comes back with what it had (restart), or with nothing (wiped)."""

import asyncio
import random
import time
from pathlib import Path

import pytest

from tests.chaos.conftest import Scale
from tests.chaos.fleet import Fleet
from tests.chaos.pictures import slow_job, small_picture
from tests.chaos.report import Report
from tests.chaos.uploads import Kind, Stream
from tests.chaos.verdict import judge
from tests.waiting import wait_until

RECOVERY_SECONDS = 60.0


async def test_web_and_worker_outlive_a_restart_of_redis(
    tmp_path: Path, chance: random.Random, report: Report, scale: Scale
) -> None:
    stream = Stream()
    async with Fleet(tmp_path) as fleet:
        web_pid, worker_pid = fleet.web.pid, fleet.workers[0].pid
        sending = asyncio.create_task(stream.send_many(fleet.client, chance, scale.uploads))
        await wait_until(lambda: len(stream.uploads) >= scale.uploads // 4)
        fault = report.fault("restart of Redis")
        await fleet.redis.terminate()
        await wait_until(lambda: len(stream.of(Kind.REFUSED)) >= scale.uploads // 8, seconds=30)
        back_at = time.time()
        await fleet.start_redis()
        await sending
        await judge(fleet, stream, report)
        assert all((refused.status, bool(refused.retry_after)) == (503, True) for refused in stream.of(Kind.REFUSED))
        assert not stream.of(Kind.BROKEN, Kind.UNREACHED)
        accepted_after = [sent.answered_at for sent in stream.accepted if sent.sent_at > back_at]
        report.took("Redis is back: until an upload is accepted", min(accepted_after) - back_at)
        assert fault.at < back_at
        assert (fleet.web.alive, fleet.web.pid) == (True, web_pid)
        assert (fleet.workers[0].alive, fleet.workers[0].pid) == (True, worker_pid)


@pytest.mark.parametrize("way", ["FLUSHALL", pytest.param("fresh Redis", marks=pytest.mark.chaos)])
async def test_a_wiped_redis_is_rebuilt_by_the_worker_that_is_there(
    tmp_path: Path, chance: random.Random, report: Report, scale: Scale, way: str
) -> None:
    stream = Stream()
    # The long run has the default; the short one looks more often.
    interval_seconds = 15 if scale.long else 2
    async with Fleet(tmp_path, worker_threads=1, housekeeping_seconds=interval_seconds) as fleet:
        finished = await stream.accept(fleet.client, small_picture(chance))
        before = await fleet.until(finished, "DONE")
        running = await stream.accept(fleet.client, *slow_job(chance, outputs=6))
        await fleet.until(running, "IN_PROGRESS")
        for _ in range(5):
            await stream.accept(fleet.client, small_picture(chance))
        fault = report.fault(f"Redis wiped ({way})")
        await _wipe(fleet, way)
        await judge(fleet, stream, report, seconds=RECOVERY_SECONDS)
        took = report.took(
            f"Redis wiped ({way}), housekeeping every {interval_seconds} s: until all is DONE again",
            time.time() - fault.at,
        )
        assert took < RECOVERY_SECONDS
        assert (await fleet.job(finished))["results"] == before["results"]


@pytest.mark.chaos
@pytest.mark.parametrize("way", ["FLUSHALL", "fresh Redis"])
async def test_a_worker_that_comes_later_rebuilds_what_was_wiped(
    tmp_path: Path, chance: random.Random, report: Report, way: str
) -> None:
    stream = Stream()
    async with Fleet(tmp_path) as fleet:
        await _leave_jobs_of_all_kinds(fleet, stream, chance)
        report.fault(f"Redis wiped ({way})")
        await _wipe(fleet, way)
        began = time.time()
        await fleet.add_worker()
        await judge(fleet, stream, report, seconds=RECOVERY_SECONDS)
        report.took(
            f"Redis wiped ({way}) and no worker there: from a worker's start until all is DONE", time.time() - began
        )


async def test_recover_rebuilds_a_wiped_redis_at_once_and_says_so(
    tmp_path: Path, chance: random.Random, report: Report
) -> None:
    stream = Stream()
    async with Fleet(tmp_path) as fleet:
        finished, unfinished = await _leave_jobs_of_all_kinds(fleet, stream, chance)
        before = {job_id: await fleet.job(job_id) for job_id in finished}
        report.fault("Redis wiped (fresh Redis)")
        await _wipe(fleet, "fresh Redis")
        refused = await fleet.client.get(f"/jobs/{finished[0]}")
        assert (refused.status_code, refused.json()["code"]) == (503, "queue_unavailable")  # not 404: it is not gone
        began = time.time()
        recover = fleet.command("recover")
        await recover.start()
        assert await recover.ended() == 0, recover.said
        report.took("quickthumb recover", time.time() - began)
        assert f"{len(finished) + len(unfinished)} records checked" in recover.said
        assert f"{len(unfinished)} queued again" in recover.said
        assert f"{len(finished)} outcomes restored" in recover.said
        for job_id in finished:
            job = await fleet.job(job_id)
            assert (job["status"], job["results"]) == ("DONE", before[job_id]["results"])
        for job_id in unfinished:
            assert (await fleet.job(job_id))["status"] == "WAITING"
        await fleet.add_worker()
        await judge(fleet, stream, report)


async def _wipe(fleet: Fleet, way: str) -> None:
    if way == "FLUSHALL":
        await fleet.store.flushall()
    else:
        await fleet.wipe_redis()


async def _leave_jobs_of_all_kinds(fleet: Fleet, stream: Stream, chance: random.Random) -> tuple[list[str], list[str]]:
    """Finished jobs, and unfinished ones: one that was running when the only worker died, and some that wait."""
    finished = [await stream.accept(fleet.client, small_picture(chance)) for _ in range(3)]
    for job_id in finished:
        await fleet.until(job_id, "DONE")
    running = await stream.accept(fleet.client, *slow_job(chance, outputs=6))
    await fleet.until(running, "IN_PROGRESS")
    await fleet.workers[0].kill()
    return finished, [running, *[await stream.accept(fleet.client, small_picture(chance)) for _ in range(5)]]
