"""A process sees another storage than the one with the jobs, or none for a while."""

import asyncio
import random
import time
from pathlib import Path

import pytest

from tests.chaos.conftest import Scale
from tests.chaos.fleet import Fleet
from tests.chaos.report import Report
from tests.chaos.uploads import Kind, Stream
from tests.chaos.verdict import judge
from tests.waiting import wait_until

LONGEST_CALM_SECONDS = 3.0
# How many of the rounds of a run one fault gets.
SHARE_OF_ROUNDS = 5
GREEN_SECONDS = 20.0


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_a_worker_with_another_folder_beside_a_right_one_costs_nothing(
    tmp_path: Path, chance: random.Random, report: Report, scale: Scale
) -> None:
    stream = Stream()
    async with Fleet(tmp_path) as fleet:
        stray = fleet.stray_worker(tmp_path / "other")
        async with stream.flowing(fleet.client, chance, most=scale.uploads, pace_seconds=0.15):
            for _ in range(scale.rounds // SHARE_OF_ROUNDS):
                report.fault("worker with another folder")
                await stray.start()
                assert await stray.ended() == 1
        await judge(fleet, stream, report)
        assert len(stream.accepted) == len(stream.uploads)
        assert stray.said.count("--adopt-storage") == scale.rounds // SHARE_OF_ROUNDS


@pytest.mark.chaos
@pytest.mark.timeout(480)
async def test_a_volume_that_goes_away_and_comes_back_costs_nothing(
    tmp_path: Path, chance: random.Random, report: Report, scale: Scale
) -> None:
    stream, away = Stream(), tmp_path / "away"
    async with Fleet(tmp_path, workers=2, housekeeping_seconds=1, sweep_seconds=1) as fleet:
        pids = [worker.pid for worker in fleet.workers]
        async with stream.flowing(fleet.client, chance, most=20 * scale.rounds, pace_seconds=0.15):
            for _ in range(scale.rounds // SHARE_OF_ROUNDS):
                await asyncio.sleep(chance.uniform(0, LONGEST_CALM_SECONDS))  # the random moment, not a wait
                report.fault("volume away")
                fleet.data_dir.rename(away)
                await wait_until(lambda: _is_red(fleet), seconds=GREEN_SECONDS)
                await asyncio.sleep(chance.uniform(0, LONGEST_CALM_SECONDS))  # so long is it away
                assert not fleet.data_dir.exists()
                away.rename(fleet.data_dir)
                back_at = time.time()
                await wait_until(lambda: _is_green(fleet), seconds=GREEN_SECONDS)
                report.took("the volume is back: until the service is ready", time.time() - back_at)
        await judge(fleet, stream, report, seconds=120)
        assert [worker.pid for worker in fleet.workers if worker.alive] == pids
        assert {refused.status for refused in stream.of(Kind.REFUSED)} <= {503}


async def _is_red(fleet: Fleet) -> bool:
    return (await fleet.client.get("/readyz")).status_code == 503


async def _is_green(fleet: Fleet) -> bool:
    return (await fleet.client.get("/readyz")).status_code == 200
