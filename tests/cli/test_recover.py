"""`quickthumb recover`, against a real Redis and a real folder."""

from pathlib import Path

from redis.asyncio import Redis

from quickthumb.queue.keys import KEYS
from quickthumb.storage import FileStorage
from tests.cli.test_program import assert_one_sentence, quickthumb
from tests.redis_fixtures import a_job
from tests.redis_server import RedisServer


async def test_it_queues_what_redis_has_lost_and_says_so(tmp_path: Path) -> None:
    job = a_job()
    async with FileStorage(tmp_path).receive(job.id) as arrival:
        await arrival.write(b"source")
        await arrival.keep(job.record())
    async with RedisServer(tmp_path) as server, Redis.from_url(server.url) as redis:
        said = [
            quickthumb("recover", QUICKTHUMB_DATA_DIR=str(tmp_path), QUICKTHUMB_REDIS_URL=server.url).stdout
            for _ in range(2)
        ]
        assert await redis.zscore(KEYS.queue, job.id) is not None
    assert said[0].startswith("1 records checked, 1 queued again, 0 outcomes restored")
    assert said[1].startswith("1 records checked, 0 queued again, 0 outcomes restored")


def test_without_redis_it_says_so(tmp_path: Path) -> None:
    ended = quickthumb("recover", QUICKTHUMB_DATA_DIR=str(tmp_path), QUICKTHUMB_REDIS_URL="redis://127.0.0.1:1")
    assert_one_sentence(ended, "queue")
