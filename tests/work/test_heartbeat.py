"""A worker's signs of life."""

from typing import cast

import pytest
from quickthumb.queue.store import JobStore
from quickthumb.work.heartbeat import pulse
from redis.asyncio import Redis

from quickthumb.queue import keys
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.work.runner import JobRunner
from tests.waiting import wait_until


class Runner:
    """Counts how often its leases are renewed, and may have trouble with that."""

    def __init__(self) -> None:
        self.renewed = 0
        self.trouble = False

    async def renew_leases(self) -> None:
        self.renewed += 1
        if self.trouble:
            raise QueueUnavailable("away")


async def test_it_beats_while_the_block_lasts_and_signs_off(store: JobStore, redis: Redis) -> None:
    runner = Runner()
    async with pulse(store, cast("JobRunner", runner), "worker", interval_seconds=0.01):
        await wait_until(lambda: runner.renewed >= 3)
        assert await store.live_workers() == 1
    beats = runner.renewed
    assert await store.live_workers() == 0
    assert not await redis.exists(keys.WORKERS)
    assert runner.renewed == beats


async def test_trouble_is_told_and_does_not_stop_it(store: JobStore, caplog: pytest.LogCaptureFixture) -> None:
    runner = Runner()
    runner.trouble = True
    async with pulse(store, cast("JobRunner", runner), "worker", interval_seconds=0.01):
        await wait_until(lambda: runner.renewed >= 3)
    assert "pulse: away" in caplog.text


async def test_signing_off_without_redis_is_no_trouble(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_: str) -> None:
        raise QueueUnavailable("away")

    async with pulse(store, cast("JobRunner", Runner()), "worker", interval_seconds=0.01):
        monkeypatch.setattr(store, "sign_off", away)
