"""`quickthumb recover`: rebuild Redis from the records on disk, now."""

import argparse
import asyncio
from urllib.parse import urlsplit

from redis.asyncio import Redis

from quickthumb.cli.command import Command, UserMistake
from quickthumb.config import Config, load
from quickthumb.model.errors import QuickThumbError
from quickthumb.queue.connection import connect, outage_of
from quickthumb.queue.keys import Keys
from quickthumb.queue.repair import StorageMark
from quickthumb.service.guard import StorageGuard, told
from quickthumb.storage import FileStorage
from quickthumb.wiring import repairer

ATTEMPTS = 3
ANSWER_SECONDS = 10.0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--adopt-storage",
        action="store_true",
        help="make the Redis belong to this data folder, whichever it belonged to before: for a folder that is new on "
        "purpose, or that was restored without its store.json",
    )


def run(arguments: argparse.Namespace) -> int:
    """Check all records once, and print what was repaired."""
    config = load()
    parts = f"Redis: {_shown(config.redis_connection_url)}, data folder: {config.storage.data_dir}"
    try:
        print(f"{asyncio.run(_recover(config, adopt=arguments.adopt_storage))} ({parts})")
    except QuickThumbError as error:
        raise UserMistake(f"{told(error).removesuffix('.')} ({parts}).") from error
    return 0


async def _recover(config: Config, *, adopt: bool) -> str:
    redis = connect(config.redis_connection_url, Redis, attempts=ATTEMPTS, answer_seconds=ANSWER_SECONDS)
    outage_of(redis).is_silent = True  # the one sentence at the end says it
    storage = FileStorage(config.storage.data_dir)
    guard = StorageGuard(storage, StorageMark(redis, Keys(config.redis.prefix)))
    try:
        await (guard.adopt() if adopt else guard.check())
        repairs = repairer(config, redis, storage)
        report = await repairs.rebuild()
        requeued = await repairs.reconcile()
        return f"{report.told()}, {requeued} returned to the queue"
    finally:
        await redis.aclose()


def _shown(url: str) -> str:
    """The URL without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


COMMAND = Command("recover", "Rebuild Redis from the records on disk: queue every lost job again.", add_options, run)
