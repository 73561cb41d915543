"""A worker that stands still past its lease, and then goes on as if nothing had happened."""

import random
import signal
from pathlib import Path

import pytest

from tests.chaos.fleet import Fleet
from tests.chaos.mixed import mixed_load
from tests.chaos.mixed_verdict import judge_load
from tests.chaos.pictures import slow_job
from tests.chaos.process import Process
from tests.chaos.report import Report
from tests.chaos.uploads import Stream
from tests.chaos.verdict import judge
from tests.waiting import wait_until

LEASE_SECONDS = 2


async def test_a_worker_that_comes_back_changes_nothing_of_what_another_finished(
    tmp_path: Path, chance: random.Random, report: Report
) -> None:
    stream = Stream()
    async with Fleet(tmp_path, lease_seconds=LEASE_SECONDS) as fleet:
        paused, job_id = await _paused_with_a_job(fleet, stream, chance, report)
        finished = await fleet.until(job_id, "DONE")
        files = fleet.result_files(job_id)
        said_before = len(paused.said)
        paused.send(signal.SIGCONT)
        await wait_until(lambda: job_id in paused.said[said_before:], seconds=30)
        await judge(fleet, stream, report)
        assert await fleet.job(job_id) == finished
        assert fleet.result_files(job_id) == files
        assert finished["attempts"] == 2
        assert paused.alive


async def test_a_worker_that_comes_back_while_another_is_at_work_leaves_the_job_to_it(
    tmp_path: Path, chance: random.Random, report: Report
) -> None:
    stream = Stream()
    async with Fleet(tmp_path, lease_seconds=LEASE_SECONDS) as fleet:
        paused, job_id = await _paused_with_a_job(fleet, stream, chance, report)

        async def taken_over() -> bool:
            return bool((await fleet.job(job_id))["attempts"] == 2)

        await wait_until(taken_over, seconds=LEASE_SECONDS + 5)
        paused.send(signal.SIGCONT)
        [end] = await judge(fleet, stream, report)
        assert end.job["attempts"] == 2
        assert paused.alive


@pytest.mark.chaos
async def test_all_workers_standing_still_for_a_while_costs_no_job(
    tmp_path: Path, chance: random.Random, report: Report
) -> None:
    async with (
        mixed_load(chance, tmp_path / "data") as load,
        Fleet(tmp_path, workers=2, lease_seconds=LEASE_SECONDS, **load.settings) as fleet,
    ):
        stream = load.stream
        async with stream.flowing(fleet.client, chance, most=60, pace_seconds=0.1, send=load.send):
            await wait_until(lambda: len(stream.accepted) > 10)
            for worker in fleet.workers:
                report.fault("SIGSTOP worker")
                worker.send(signal.SIGSTOP)
            await wait_until(lambda: len(stream.accepted) > 40, seconds=LEASE_SECONDS * 10)
            for worker in fleet.workers:
                worker.send(signal.SIGCONT)
        await judge_load(fleet, load, report)


async def _paused_with_a_job(
    fleet: Fleet, stream: Stream, chance: random.Random, report: Report
) -> tuple[Process, str]:
    """A worker that stands still with a job in its hands, while another is free to take it over."""
    [worker] = fleet.workers
    job_id = await stream.accept(fleet.client, *slow_job(chance, outputs=6))
    await fleet.until(job_id, "IN_PROGRESS")
    report.fault("SIGSTOP worker")
    worker.send(signal.SIGSTOP)
    await fleet.add_worker()
    return worker, job_id
