"""Web, workers and Redis are killed at random moments while uploads go on."""

import asyncio
import random
from pathlib import Path

import pytest

from quickthumb.queue.keys import KEYS
from tests.chaos.conftest import Scale
from tests.chaos.fleet import Fleet
from tests.chaos.report import Fault, Report
from tests.chaos.uploads import Stream
from tests.chaos.verdict import judge, recovery_seconds

LONGEST_CALM_SECONDS = 1.0


@pytest.mark.timeout(480)
async def test_whatever_is_killed_every_accepted_upload_ends_done(
    tmp_path: Path, chance: random.Random, report: Report, scale: Scale
) -> None:
    stream, faults = Stream(), []
    # The same job may happen to be hit again and again: that is the test's doing, and no sign that it kills workers.
    attempts, lease_seconds = scale.rounds + 3, 8 if scale.long else 3
    async with Fleet(
        tmp_path,
        workers=2,
        lease_seconds=lease_seconds,
        max_attempts=attempts,
        housekeeping_seconds=1,
        sweep_seconds=1,
    ) as fleet:
        async with stream.flowing(fleet.client, chance, most=40 * scale.rounds, pace_seconds=0.15):
            for number in range(scale.rounds):
                await asyncio.sleep(chance.uniform(0, LONGEST_CALM_SECONDS))  # the random moment, not a wait
                faults.append(await _kill_and_restart(fleet, chance, report, number))
        if not scale.long:
            # A killed worker that kept house is waited for half a minute; the short run has not that much time.
            await fleet.store.delete(KEYS.repair_lead)
        ended = await judge(fleet, stream, report, seconds=120)
        for fault in faults:
            report.took(
                f"{fault.kind}: until uploads are accepted and its jobs are done", recovery_seconds(fault, ended)
            )


async def _kill_and_restart(fleet: Fleet, chance: random.Random, report: Report, number: int) -> Fault:
    match number % 3:
        case 0:
            fault = report.fault("SIGKILL web")
            await fleet.web.kill()
            await fleet.start_web()
        case 1:
            fault = report.fault("SIGKILL worker")
            worker = chance.choice(fleet.workers)
            await worker.kill()
            await fleet.start_worker(worker)
        case _:
            fault = report.fault("SIGKILL Redis")
            await fleet.redis.kill()
            await fleet.start_redis()
    return fault
