"""`quickthumb recover`: rebuild Redis from the records on disk, now."""

import argparse
import asyncio

from quickthumb.cli.command import Command
from quickthumb.cli.site import opened
from quickthumb.config import Config, load
from quickthumb.wiring import repairer


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--adopt-storage",
        action="store_true",
        help="make the Redis belong to this data folder, whichever it belonged to before: for a folder that is new on "
        "purpose, or that was restored without its store.json",
    )


def run(arguments: argparse.Namespace) -> int:
    """Check all records once, and print what was repaired."""
    print(asyncio.run(_recover(load(), adopt=arguments.adopt_storage)))
    return 0


async def _recover(config: Config, *, adopt: bool) -> str:
    async with opened(config) as site:
        await (site.guard.adopt() if adopt else site.guard.check())
        repairs = repairer(config, site.redis, site.storage)
        report = await repairs.rebuild()
        requeued = await repairs.reconcile()
        return f"{report.told()}, {requeued} returned to the queue ({site.names})"


COMMAND = Command(add_options, run)
