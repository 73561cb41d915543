"""`quickthumb doctor`: checks everything that the service needs, and says what to do about what is wrong."""

import argparse
import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator

from redis.asyncio import Redis
from redis.exceptions import RedisError

from quickthumb.cli import access, machine
from quickthumb.cli.command import Command
from quickthumb.cli.findings import Finding, Level
from quickthumb.compat.services import endpoints_of
from quickthumb.config import Config, ConfigError, load, secrecy
from quickthumb.devredis import Release, warning_for
from quickthumb.model.errors import QuickThumbError, for_operators
from quickthumb.queue.connection import connect, outage_of
from quickthumb.queue.inspection import RedisFacts, inspect
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import Keys
from quickthumb.service.guard import REMEDY
from quickthumb.storage import FileStorage
from quickthumb.wiring import job_store, presets_of

OLDEST_REDIS = (6, 2)
# Jobs run by Redis' clock; with more difference than this, the times that clients see look wrong.
CLOCK_SECONDS = 2.0
ANSWER_SECONDS = 5.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """No options: the settings name the Redis and the data folder."""


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each check. Return 0 if the service can work, 1 if anything FAILs."""
    code = 0
    for finding in _findings():
        print(f"{finding.level:<4}  {finding.subject:<11} {finding.sentence}", flush=True)
        code |= finding.level is Level.FAILURE
    return code


def _findings() -> Iterator[Finding]:
    try:
        config = load()
        presets_of(config)
        endpoints_of(config.compat)
    except ConfigError as error:
        yield Finding(Level.FAILURE, "settings", str(error))
        return
    yield machine.settings(config, secrecy.own_environment())
    yield from machine.hosts(config.web)
    yield from access.findings(config)
    yield from machine.originals(config.web)
    yield from machine.folder(config)
    yield machine.sandbox()
    yield from asyncio.run(_redis(config))


async def _redis(config: Config) -> list[Finding]:
    """The checks that need Redis."""
    redis = connect(config.redis_connection_url, Redis, attempts=0, answer_seconds=ANSWER_SECONDS)
    outage = outage_of(redis)
    outage.is_silent = True
    keys = Keys(config.redis.prefix)
    try:
        facts = await inspect(redis, keys)
        store = job_store(config, redis)
        workers = await _guarded("workers", lambda: _workers(store))
    except (RedisError, OSError) as error:
        told = f"Cannot use Redis at {outage.place}: {_reason(error)}; start it, or correct REDIS_URL."
        return [Finding(Level.FAILURE, "redis", told)]
    finally:
        await redis.aclose()
    return [
        _server(facts, outage.place),
        _rights(facts),
        _policy(facts),
        _persistence(facts),
        _clock(facts),
        await _identity(FileStorage(config.storage.data_dir), facts),
        workers,
    ]


async def _guarded(subject: str, check: Callable[[], Awaitable[Finding]]) -> Finding:
    try:
        return await check()
    except QuickThumbError as error:
        return Finding(Level.FAILURE, subject, f"Could not be checked: {error.detail}")


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].removesuffix(".")


def _server(facts: RedisFacts, place: str) -> Finding:
    release = _release(facts)
    told = f"{release or 'Redis'} at {place}"
    version = tuple(int(part) for part in facts.version.split(".")[:2] if part.isdigit())
    if facts.is_cluster:
        return Finding(Level.FAILURE, "redis", f"{told} runs in cluster mode; use one without it.")
    if facts.is_replica:
        return Finding(Level.FAILURE, "redis", f"{told} is a replica; set REDIS_URL to the primary.")
    if version and version < OLDEST_REDIS:
        return Finding(Level.FAILURE, "redis", f"{told} is too old; use 6.2 or newer.")
    if facts.writes_fail:
        return Finding(Level.FAILURE, "redis", f"{told} cannot write to its disk; look into its log.")
    warning = warning_for(release) if release else None
    if warning:
        return Finding(Level.WARNING, "redis", f"{told} answers, but has {warning}.")
    return Finding(Level.OK, "redis", f"{told} answers.")


def _release(facts: RedisFacts) -> Release | None:
    name = "Valkey" if facts.valkey_version else "Redis"
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", facts.valkey_version or facts.version)
    return Release(name, (int(found[1]), int(found[2]), int(found[3]))) if found else None


def _rights(facts: RedisFacts) -> Finding:
    if facts.forbidden:
        refused = ", ".join(facts.forbidden)
        return Finding(Level.FAILURE, "rights", f"The user of REDIS_URL may not run: {refused}; change its ACL.")
    return Finding(Level.OK, "rights", "The user may run all commands that QuickThumb needs.")


def _policy(facts: RedisFacts) -> Finding:
    if facts.policy != "noeviction":
        told = f"maxmemory-policy is {facts.policy}, so Redis may throw jobs away; set it to noeviction."
        return Finding(Level.FAILURE, "eviction", told)
    return Finding(Level.OK, "eviction", "maxmemory-policy is noeviction.")


def _persistence(facts: RedisFacts) -> Finding:
    if facts.appends:
        return Finding(Level.OK, "persistence", "Redis appends every change to a file.")
    lost = "nothing" if facts.saves == "" else "only snapshots"
    told = f"Redis keeps {lost} on disk; after its crash, workers must read all records again. Set appendonly yes."
    return Finding(Level.WARNING, "persistence", told)


def _clock(facts: RedisFacts) -> Finding:
    seconds = facts.ahead_seconds
    if abs(seconds) > CLOCK_SECONDS:
        told = f"The clocks of Redis and of this machine differ by {abs(seconds):.1f} s; synchronize them (NTP)."
        return Finding(Level.WARNING, "clock", told)
    return Finding(Level.OK, "clock", f"The clocks of Redis and of this machine differ by {abs(seconds):.2f} s.")


async def _identity(storage: FileStorage, facts: RedisFacts) -> Finding:
    """Whether the data folder is the one whose jobs are in Redis."""
    try:
        found = await storage.find_identity()
    except QuickThumbError as error:
        return Finding(Level.FAILURE, "identity", f"{for_operators(error).removesuffix('.')}.")
    if facts.storage_id is None or facts.storage_id == found:
        told = "is new" if found is None else f"has the id {found}"
        return Finding(Level.OK, "identity", f"The data folder {told}.")
    seen = "has no id" if found is None else f"has the id {found}"
    told = f"The data folder {seen}, but Redis belongs to the one with the id {facts.storage_id}"
    return Finding(Level.FAILURE, "identity", f"{told}. {REMEDY}")


async def _workers(store: JobStore) -> Finding:
    number, paused = await store.live_workers(), await store.paused_workers()
    if paused:
        told = f"{number} able to run jobs; {paused} cannot use the storage: run `quickthumb doctor` as they run."
        return Finding(Level.FAILURE, "workers", told)
    if not number:
        told = "No worker is running; start one with `arq quickthumb.worker.Settings`."
        return Finding(Level.FAILURE, "workers", told)
    return Finding(Level.OK, "workers", f"{number} running.")


COMMAND = Command(add_options, run)
