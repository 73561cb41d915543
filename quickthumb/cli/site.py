"""The deployment that a command works on: the Redis and the data folder of the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from quickthumb.cli.command import UserMistake
from quickthumb.config import Config
from quickthumb.model.errors import QuickThumbError
from quickthumb.queue.connection import connect, outage_of
from quickthumb.service.guard import StorageGuard, told
from quickthumb.storage import FileStorage
from quickthumb.wiring import private_process, storage_guard

ATTEMPTS = 3
ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Site:
    """An open connection to Redis, the data folder, and the guard that compares the two. `names` says which they are,
    without the password."""

    config: Config
    redis: Redis
    storage: FileStorage
    guard: StorageGuard
    names: str


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Site]:
    """Opens a deployment, and closes the connection at the end.

    Raises UserMistake in place of the errors that the block raises because of Redis or the storage.
    """
    redis = connect(config.redis_connection_url, Redis, attempts=ATTEMPTS, answer_seconds=ANSWER_SECONDS)
    outage_of(redis).is_silent = True  # the one sentence at the end says it
    storage = FileStorage(config.storage.data_dir)
    names = f"Redis: {outage_of(redis).place}, data folder: {config.storage.data_dir}"
    try:
        with private_process(config):
            yield Site(config, redis, storage, storage_guard(config, redis, storage), names)
    except QuickThumbError as error:
        raise UserMistake(f"{told(error).removesuffix('.')} ({names}).") from error
    finally:
        await redis.aclose()
