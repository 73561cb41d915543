"""Web, workers and Redis are killed, stopped and emptied at random moments while a load of every kind goes on."""

import asyncio
import random
import signal
from pathlib import Path

import pytest

from quickthumb.model.batch import batch_job_id
from quickthumb.queue.keys import KEYS
from tests.chaos.conftest import Scale
from tests.chaos.fleet import Fleet
from tests.chaos.mixed import IN_A_BATCH, Load, mixed_load
from tests.chaos.mixed_verdict import judge_load
from tests.chaos.report import Fault, Report
from tests.chaos.uploads import Way
from tests.chaos.verdict import recovery_seconds
from tests.waiting import wait_until

LONGEST_CALM_SECONDS = 1.0
# At most so many pictures for each round: a machine that is slow should not get more to do.
MOST_OF_LONG, MOST_OF_SHORT = 40, 16
NOTICED_SECONDS = 30.0


@pytest.mark.timeout(900)
async def test_whatever_is_killed_every_accepted_job_ends_done_and_is_told_of(
    tmp_path: Path, chance: random.Random, report: Report, scale: Scale
) -> None:
    faults = []
    # The same job may happen to be hit again and again: that is the test's doing, and no sign that it kills workers.
    attempts, lease_seconds = scale.rounds + 3, 8 if scale.long else 2
    async with (
        mixed_load(chance, tmp_path / "data", failing_share=0.35) as load,
        Fleet(
            tmp_path,
            workers=2,
            lease_seconds=lease_seconds,
            max_attempts=attempts,
            housekeeping_seconds=1,
            sweep_seconds=1,
            **load.settings,
        ) as fleet,
    ):
        most = (MOST_OF_LONG if scale.long else MOST_OF_SHORT) * scale.rounds
        flowing = load.stream.flowing(fleet.client, chance, most=most, pace_seconds=0.25, send=load.send)
        async with flowing:
            for number in range(scale.rounds):
                await asyncio.sleep(chance.uniform(0, LONGEST_CALM_SECONDS))  # the random moment, not a wait
                faults.append(await _strike(fleet, load, report, number, lease_seconds))
        if not scale.long:
            # A killed worker that kept house is waited for half a minute; the short run has not that much time.
            await fleet.store.delete(KEYS.repair_lead)
        ended = await judge_load(fleet, load, report, seconds=120)
        for fault in faults:
            report.took(
                f"{fault.kind}: until uploads are accepted and its jobs are done", recovery_seconds(fault, ended)
            )


async def _strike(fleet: Fleet, load: Load, report: Report, number: int, lease_seconds: float) -> Fault:
    worker = load.chance.choice(fleet.workers)
    match number % 6:
        case 0:
            fault = await _kill_web(fleet, load, report)
        case 1:
            fault = report.fault("SIGKILL worker")
            await worker.kill()
            await fleet.start_worker(worker)
        case 2:
            fault = report.fault("SIGKILL Redis")
            await fleet.redis.kill()
            await fleet.start_redis()
        case 3:
            fault = report.fault("SIGSTOP worker")
            worker.send(signal.SIGSTOP)
            await asyncio.sleep(lease_seconds)  # so long that others take over
            worker.send(signal.SIGCONT)
        case 4:
            fault = await _wipe(fleet, load, report)
        case _:
            fault = report.fault("SIGTERM worker")
            await worker.terminate()
            await fleet.start_worker(worker)
    return fault


async def _kill_web(fleet: Fleet, load: Load, report: Report) -> Fault:
    """Kills the web process in the middle of a batch, after its second image."""
    batches = fleet.data_dir / "batches"
    earlier = set(batches.glob("*/*"))

    def has_two() -> bool:
        jobs = [batch_job_id(folder.name, 2) for folder in set(batches.glob("*/*")) - earlier]
        return any((fleet.data_dir / "uploads" / job_id[:3] / job_id).exists() for job_id in jobs)

    async with asyncio.TaskGroup() as group:
        group.create_task(load.send_one(fleet.client, Way.PARTS))
        await wait_until(has_two, seconds=NOTICED_SECONDS)
        fault = report.fault("SIGKILL web")
        await fleet.web.kill()
        await fleet.start_web()
    return fault


async def _wipe(fleet: Fleet, load: Load, report: Report) -> Fault:
    """Wipes Redis while events are owed that were tried already."""
    receiver = load.everything
    with receiver.ill():
        await load.send_one(fleet.client, Way.PARTS)
        await wait_until(lambda: len(receiver.turned_away) >= IN_A_BATCH, seconds=NOTICED_SECONDS)
        fault = report.fault("Redis wiped")
        await fleet.wipe_redis()
    return fault
