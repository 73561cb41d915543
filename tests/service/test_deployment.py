"""The verbs about the whole deployment: who may use them, and what they say when a part is away."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb import __version__
from quickthumb.model.caller import ANONYMOUS, Caller
from quickthumb.queue.connection import connect
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.failures import FailedJobs
from quickthumb.queue.history import SPANS, History
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.server import RedisServer
from quickthumb.queue.workers import Workers
from quickthumb.service.deployment import Deployment
from quickthumb.service.errors import NotForTenants
from quickthumb.storage.space import disk_space
from tests.redis_fixtures import RETENTION_SECONDS, a_job

HOUR = SPANS[0]
Verb = Callable[[Deployment, Caller], Awaitable[object]]
VERBS: list[Verb] = [
    Deployment.stats,
    lambda deployment, caller: deployment.points(caller, HOUR),
    Deployment.workers,
    lambda deployment, caller: deployment.failures(caller, HOUR),
    Deployment.system,
]


def deployment_on(redis: Redis, folder: Path) -> Deployment:
    store = JobStore(redis, retention_seconds=RETENTION_SECONDS)
    disk = partial(disk_space, folder, 5_000)
    return Deployment(store, History(redis), Workers(redis), FailedJobs(redis), RedisServer(redis), disk)


@pytest.mark.parametrize("verb", VERBS)
async def test_they_are_only_for_callers_that_run_the_deployment(client: Redis, tmp_path: Path, verb: Verb) -> None:
    deployment = deployment_on(client, tmp_path)
    assert await verb(deployment, ANONYMOUS) is not None
    with pytest.raises(NotForTenants):
        await verb(deployment, Caller(tenant="shop"))


async def test_the_system_is_disk_redis_and_this_process(client: Redis, tmp_path: Path) -> None:
    found = await deployment_on(client, tmp_path).system(ANONYMOUS)
    assert found.disk is not None
    assert 0 < found.disk.free_bytes <= found.disk.total_bytes - found.disk.used_bytes
    assert found.disk.reserved_bytes == 5_000
    assert found.redis is not None
    assert found.redis.used_memory_bytes > 0
    assert (found.web.pid, found.web.version) == (os.getpid(), __version__)


async def test_what_is_away_is_missing_in_the_system_and_an_error_of_the_others(tmp_path: Path) -> None:
    async with connect(f"unix://{tmp_path}/none", Redis, attempts=0, answer_seconds=1.0) as redis:
        deployment = deployment_on(redis, tmp_path / "none")
        found = await deployment.system(ANONYMOUS)
        assert (found.disk, found.redis) == (None, None)
        for verb in VERBS[:-1]:
            with pytest.raises(QueueUnavailable):
                await verb(deployment, ANONYMOUS)


async def test_the_chart_goes_up_to_this_moment(client: Redis, store: JobStore, tmp_path: Path) -> None:
    deployment, tally = deployment_on(client, tmp_path), await store.tally()
    await History(client).keep(replace(tally, at=tally.at - 30))
    await store.add(a_job())
    (point,) = await deployment.points(ANONYMOUS, HOUR)
    assert point.at == pytest.approx(tally.at, abs=10)
    assert point.window.seconds == pytest.approx(30, abs=10)
    assert point.gauges is not None
    assert (point.gauges.queued, point.gauges.waiting) == (1, 1)
