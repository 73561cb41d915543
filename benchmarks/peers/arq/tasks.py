"""The worker's settings, as in arq's "Synchronous Jobs": the job runs in a pool of processes."""

import asyncio
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from arq.connections import RedisSettings
from PIL import Image


def sync_thumbnails(source: str, sizes: list[int]) -> list[str]:
    made = []
    with Image.open(source) as image:
        for size in sizes:
            target = f"{source}-{size}.jpg"
            # thumbnail() changes the image itself, so several need copies; for one alone, it also decodes faster.
            thumbnail = image.copy() if len(sizes) > 1 else image
            thumbnail.thumbnail((size, size))
            thumbnail.save(target)
            made.append(target)
    return made


async def make_thumbnails(ctx: dict[str, Any], source: str, sizes: list[int]) -> list[str]:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(ctx["pool"], partial(sync_thumbnails, source, sizes))


async def startup(ctx: dict[str, Any]) -> None:
    ctx["pool"] = ProcessPoolExecutor()


async def shutdown(ctx: dict[str, Any]) -> None:
    ctx["pool"].shutdown()


class WorkerSettings:
    functions = [make_thumbnails]
    on_startup = startup
    on_shutdown = shutdown
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
