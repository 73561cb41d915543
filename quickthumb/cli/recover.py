"""`quickthumb recover`: rebuild Redis from the records on disk, now."""

import argparse
import asyncio

from redis.asyncio import Redis

from quickthumb.cli.command import Command, UserMistake
from quickthumb.config import Config, load
from quickthumb.model.errors import QuickThumbError
from quickthumb.queue.connection import connect, outage_of
from quickthumb.wiring import repairer

ATTEMPTS = 3
ANSWER_SECONDS = 10.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """No options: the settings name the Redis and the data folder."""


def run(arguments: argparse.Namespace) -> int:
    """Check all records once, and print what was repaired."""
    try:
        print(asyncio.run(_recover(load())))
    except QuickThumbError as error:
        raise UserMistake(error.detail) from error
    return 0


async def _recover(config: Config) -> str:
    redis = connect(config.redis_connection_url, Redis, attempts=ATTEMPTS, answer_seconds=ANSWER_SECONDS)
    outage_of(redis).is_silent = True  # the one sentence at the end says it
    try:
        repairs = repairer(config, redis)
        report = await repairs.rebuild()
        requeued = await repairs.reconcile()
        return f"{report.told()}, {requeued} returned to the queue."
    finally:
        await redis.aclose()


COMMAND = Command("recover", "Rebuild Redis from the records on disk: queue every lost job again.", add_options, run)
