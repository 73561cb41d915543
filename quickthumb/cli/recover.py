"""`quickthumb recover`: rebuild what Redis knows from the records on disk, now."""

import argparse
import asyncio

from redis.asyncio import Redis

from quickthumb.cli.command import Command
from quickthumb.cli.mistakes import UserMistake
from quickthumb.config import Config, load
from quickthumb.model.errors import QuickThumbError
from quickthumb.queue.connection import connect
from quickthumb.wiring import repairer

ATTEMPTS = 3
ANSWER_SECONDS = 10.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """It has none: the settings say which Redis and which folder."""


def run(arguments: argparse.Namespace) -> int:
    """Goes through all records once, and says what it did."""
    try:
        print(asyncio.run(_recover(load())))
    except QuickThumbError as error:
        raise UserMistake(error.detail) from error
    return 0


async def _recover(config: Config) -> str:
    redis = connect(config.redis_address, Redis, attempts=ATTEMPTS, answer_seconds=ANSWER_SECONDS)
    try:
        repairs = repairer(config, redis)
        report = await repairs.rebuild()
        requeued = await repairs.reconcile()
        return f"{report.told()}, {requeued} that were missing in the queue are back."
    finally:
        await redis.aclose()


COMMAND = Command("recover", "Queue again, from the records on disk, whatever Redis has lost.", add_options, run)
