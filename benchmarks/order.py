"""Measures a claim in a queue of any depth: while new jobs are still put into their lines, and once all stand there.

    python -m benchmarks.order                   100, 10,000 and 100,000 jobs that wait
    python -m benchmarks.order 1000              one depth

It starts an embedded Redis of its own on a temporary folder, and prints one line for each depth.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from redis.asyncio import Redis

from benchmarks.depth import fill, own_redis
from quickthumb.model.job import Status
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.claims import SORT_MOST, Claims

DEPTHS = (100, 10_000, 100_000)
TIMES = 200


async def claim_ms(claims: Claims, attempts: Attempts) -> float:
    """The time of one claim, whose job then ends."""
    began = time.perf_counter()
    due = await claims.claim(1)
    took_ms = (time.perf_counter() - began) * 1000
    for attempt in due.attempts:
        await attempts.settle(attempt, Status.CANCELLED, busy_seconds=0)
    return took_ms


async def measure(redis: Redis, depth: int) -> str:
    """Fills an empty Redis with jobs that wait, and measures."""
    await redis.flushall()
    await fill(redis, depth + TIMES, ended=False)
    claims, attempts = Claims(redis, lease_seconds=60), Attempts(redis)
    first = [await claim_ms(claims, attempts) for _ in range(depth // SORT_MOST + 1)]
    then = [await claim_ms(claims, attempts) for _ in range(TIMES)]
    slowest = statistics.quantiles(then, n=100)[98]
    return (
        f"{depth:7} waiting: {statistics.median(first):6.2f} ms while {SORT_MOST} new ones are sorted, "
        f"then {statistics.median(then):.3f} ms (99 %: {slowest:.3f} ms)"
    )


async def main(depths: list[int]) -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as name:
        async with own_redis(Path(name)) as redis:
            for depth in depths:
                print(await measure(redis, depth), flush=True)


if __name__ == "__main__":
    asyncio.run(main([int(word) for word in sys.argv[1:]] or list(DEPTHS)))
