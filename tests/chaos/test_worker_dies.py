"""A worker is killed, or told to stop, with a job in its hands."""

import random
import signal
import time
from pathlib import Path

from quickthumb.queue.keys import KEYS
from tests.chaos.fleet import Fleet
from tests.chaos.pictures import slow_job, small_picture
from tests.chaos.report import Report
from tests.chaos.uploads import Stream
from tests.chaos.verdict import finished_at, judge, moment
from tests.waiting import wait_until

TAKE_OVER_SECONDS = 15.0
PUT_BACK_SECONDS = 3.0


async def test_the_job_of_a_killed_worker_is_finished_by_another(
    tmp_path: Path, chance: random.Random, report: Report
) -> None:
    stream = Stream()
    async with Fleet(tmp_path) as fleet:
        job_id = await stream.accept(fleet.client, *slow_job(chance, outputs=10))
        await fleet.until(job_id, "IN_PROGRESS")
        await fleet.add_worker()
        assert (await fleet.job(job_id))["status"] == "IN_PROGRESS"
        fault = report.fault("SIGKILL worker")
        await fleet.workers[0].kill()
        [end] = await judge(fleet, stream, report, seconds=TAKE_OVER_SECONDS + 10)
        took = report.took("SIGKILL of a worker: until another has finished its job", finished_at(end.job) - fault.at)
        assert took < TAKE_OVER_SECONDS
        assert end.job["attempts"] == 2


async def test_a_worker_told_to_stop_finishes_what_it_has_and_takes_nothing_new(
    tmp_path: Path, chance: random.Random, report: Report
) -> None:
    stream = Stream()
    async with Fleet(tmp_path, worker_threads=1) as fleet:
        [worker] = fleet.workers
        running = await stream.accept(fleet.client, *slow_job(chance, outputs=6))
        await fleet.until(running, "IN_PROGRESS")
        report.fault("SIGTERM worker")
        worker.send(signal.SIGTERM)
        await wait_until(lambda: "shutdown on SIGTERM" in worker.said)
        later = await stream.accept(fleet.client, small_picture(chance))
        assert await worker.ended() == 0
        finished, waiting = await fleet.job(running), await fleet.job(later)
        assert (finished["status"], finished["attempts"]) == ("DONE", 1)
        assert (waiting["status"], waiting["attempts"]) == ("WAITING", 0)
        await fleet.add_worker()
        await judge(fleet, stream, report)


async def test_what_is_not_finished_within_the_grace_period_goes_back_at_once(
    tmp_path: Path, chance: random.Random, report: Report
) -> None:
    grace_seconds = 1
    stream = Stream()
    async with Fleet(tmp_path, worker_threads=1, shutdown_grace_seconds=grace_seconds, lease_seconds=30) as fleet:
        job_id = await stream.accept(fleet.client, *slow_job(chance, outputs=24))
        await fleet.until(job_id, "IN_PROGRESS")
        await fleet.add_worker()
        report.fault("SIGTERM worker")
        told_at = time.time()
        fleet.workers[0].send(signal.SIGTERM)

        async def begun_again() -> bool:
            return bool((await fleet.job(job_id))["attempts"] == 2)

        await wait_until(begun_again, seconds=grace_seconds + PUT_BACK_SECONDS)
        took = moment((await fleet.job(job_id))["started_at"]) - told_at - grace_seconds
        report.took("SIGTERM of a worker: from the end of its grace until its job is begun again", took)
        assert took < PUT_BACK_SECONDS
        await judge(fleet, stream, report)


async def test_a_free_worker_does_not_starve_behind_what_others_are_busy_with(
    tmp_path: Path, chance: random.Random, report: Report
) -> None:
    stream = Stream()
    async with Fleet(tmp_path) as fleet:
        busy = [f"{number:032x}" for number in range(150)]
        earlier = int(time.time() * 1000) - 60_000
        await fleet.store.zadd(KEYS.queue, dict.fromkeys(busy, earlier))
        for job_id in busy:
            await fleet.store.set(f"arq:in-progress:{job_id}", "another worker's", px=60_000)
        job_id = await stream.accept(fleet.client, small_picture(chance))
        job = await fleet.until(job_id, "DONE")
        took = report.took(
            "150 busy slots elsewhere: until a free worker begins a new job",
            moment(job["started_at"]) - moment(job["created_at"]),
        )
        assert took < 1
        await fleet.store.zrem(KEYS.queue, *busy)
        await judge(fleet, stream, report)
