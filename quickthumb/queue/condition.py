"""The condition of a Redis: whether it can be used at all, and whether it may lose what it is given."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from quickthumb.queue.claims import Claims
from quickthumb.queue.connection import outage_of
from quickthumb.queue.keys import PROBE_SECONDS, Keys
from quickthumb.queue.outage import RedisMistake

log = logging.getLogger("quickthumb.redis")

LOOK_SECONDS = 1.0
# The web process starts, and answers 503, if Redis has not answered by then.
START_SECONDS = 3.0


async def prove(redis: Redis, keys: Keys) -> bool:
    """Whether Redis proved usable: it can be reached, and runs scripts on the keys. Notes it in the client's outages.

    Raises RedisMistake if it never will until somebody changes a setting, of QuickThumb or of Redis.
    """
    outage = outage_of(redis)
    if outage.is_usable:
        return True
    try:
        # The script reads several keys, as all do. They are those of the queue, since a cluster keeps each on another
        # server. It claims nothing.
        await Claims(redis, keys, lease_seconds=0).claim(0)
        await redis.set(keys.probe, 1, ex=PROBE_SECONDS)
    except (RedisError, OSError) as error:
        mistake = outage.mistake(error)
        if mistake is not None:
            raise mistake from error
        if not isinstance(error, ResponseError):
            return False
    outage.is_usable = True
    return True


async def mistake_at_start(redis: Redis, keys: Keys) -> str | None:
    """Why Redis can never be used; None if it can, or if it does not answer for the moment."""
    with contextlib.suppress(TimeoutError):
        try:
            async with asyncio.timeout(START_SECONDS):
                await prove(redis, keys)
        except RedisMistake as mistake:
            return str(mistake)
    return None


@asynccontextmanager
async def looked_after(redis: Redis, keys: Keys) -> AsyncIterator[None]:
    """While the block lasts, tries Redis during outages, so that their end is noticed without a request.

    Asks the process to stop if a Redis that did not answer at first turns out to be unusable.
    """
    task = asyncio.create_task(_look_after(redis, keys), name="outages")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _look_after(redis: Redis, keys: Keys) -> None:
    outage = outage_of(redis)
    while True:
        if outage.is_usable:
            await outage.going_on.wait()
        try:
            if await prove(redis, keys):
                with contextlib.suppress(RedisError, OSError):
                    await redis.set(keys.probe, 1, ex=PROBE_SECONDS)
        except RedisMistake as mistake:
            log.critical("%s", mistake)
            signal.raise_signal(signal.SIGTERM)
            return
        await asyncio.sleep(LOOK_SECONDS)


async def warnings_of(redis: Redis) -> list[str]:
    """What is dangerous in the settings of this Redis, in whole sentences. Empty also if Redis does not tell."""
    found: list[str] = []
    with contextlib.suppress(RedisError, OSError), outage_of(redis).refusals_expected():
        policy = (await redis.info("memory")).get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            found.append(
                f"its maxmemory-policy is {policy}: when its memory is full, it will throw jobs away. Set noeviction."
            )
        if not (await redis.info("persistence")).get("aof_enabled"):
            saves = cast("dict[str, str]", await redis.config_get("save")).get("save")
            if saves == "":
                found.append("it keeps nothing on disk, so a restart empties it. Set appendonly yes.")
    return found
