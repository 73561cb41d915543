"""Measures how much memory the web process needs for an upload of one gigabyte, for each kind of request body.

    python -m benchmarks.upload_memory [--gigabytes 1]

Starts a Redis and a web process of its own, on a temporary folder that needs room for one upload at a time.
"""

import argparse
import asyncio
import shutil
import tempfile
import time
from pathlib import Path

from tests.redis_server import RedisServer
from tests.web.large_uploads import MEBIBYTE, WAYS, growth_bytes
from tests.web_process import running_web


async def measure(folder: Path, size: int) -> None:
    async with RedisServer(folder) as redis:
        for way in WAYS:
            async with running_web(folder / "web", redis.url, max_upload_bytes=size) as web:
                started = time.perf_counter()
                grown = await growth_bytes(web, way, size)
                seconds = time.perf_counter() - started
                print(f"{way:>15}: {size:,} bytes in {seconds:.1f} s, grew by {grown / MEBIBYTE:.1f} MiB")
            shutil.rmtree(folder / "web")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of each upload (default: 1)")
    size = int(parser.parse_args().gigabytes * 1_000_000_000)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), size))


if __name__ == "__main__":
    main()
