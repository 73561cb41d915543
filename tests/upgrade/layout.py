"""Lays out the data of an old release as if the release had stopped an hour ago, so that nothing in it has expired.

All times move by the same amount, wherever they stand: RFC 3339 times and milliseconds since the epoch. So this code
need not know the keys and the records of a release.
"""

import json
import os
import re
import shutil
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from tests.redis_server import RedisServer

RELEASES = Path(__file__).parent / "releases"
STOPPED_SECONDS_AGO = 3_600

SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
# From 2001 to 2033, milliseconds since the epoch have 13 digits and begin with 1. Ids and digests are longer words.
MILLISECONDS = re.compile(r"(?<!\w)1\d{12}(?!\w)")


@dataclass(frozen=True)
class Remains:
    """What one release left behind. `seconds` is how far its times must move."""

    name: str
    seconds: int

    def text(self, path: Path) -> str:
        """The text of a file, with all times moved."""
        text = SECONDS.sub(self._moved, path.read_text(encoding="utf-8"))
        return MILLISECONDS.sub(lambda found: str(int(found[0]) + self.seconds * 1000), text)

    def read(self, name: str) -> Any:
        return json.loads(self.text(RELEASES / self.name / name))

    def _moved(self, found: re.Match[str]) -> str:
        return (datetime.fromisoformat(found[0]) + timedelta(seconds=self.seconds)).isoformat()


def remains_of(name: str) -> Remains:
    made_at: int = json.loads((RELEASES / name / "told.json").read_text(encoding="utf-8"))["made_at"]
    return Remains(name, int(time.time()) - STOPPED_SECONDS_AGO - made_at)


def lay_out(remains: Remains, data_dir: Path) -> None:
    """Makes the data folder; every file in it was last changed when the release stopped."""
    shutil.copytree(RELEASES / remains.name / "data", data_dir)
    stopped_at = time.time() - STOPPED_SECONDS_AGO
    for path in data_dir.rglob("*"):
        if path.suffix == ".json":
            path.write_text(remains.text(path), encoding="utf-8")
        os.utime(path, (stopped_at, stopped_at))


async def fill_redis(remains: Remains, data_dir: Path) -> None:
    """Loads the old keys into the embedded Redis of the data folder, and stops it again."""
    async with RedisServer(data_dir) as server:
        async with Redis.from_url(server.url) as redis:
            for key, held in remains.read("redis.json").items():
                await _put(redis, key, held["type"], held["value"])
                if held["seconds"]:
                    await redis.expire(key, held["seconds"])
        await server.stop()


async def _put(redis: Any, key: str, kind: str, value: Any) -> None:
    if kind == "zset":
        await redis.zadd(key, value)
    elif kind == "hash":
        await redis.hset(key, mapping=value)
    elif kind == "list":
        await redis.rpush(key, *value)
    else:
        await redis.set(key, value)
