"""`quickthumb doctor`: checks everything that the service needs, and says what to do about what is wrong."""

import argparse
import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from quickthumb.cli.command import Command
from quickthumb.compat.services import endpoints_of
from quickthumb.config import Config, ConfigError, load
from quickthumb.model.errors import QuickThumbError, for_operators
from quickthumb.queue.connection import connect, outage_of
from quickthumb.queue.inspection import RedisFacts, inspect
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import Keys
from quickthumb.service.guard import REMEDY
from quickthumb.service.presets import read_presets
from quickthumb.storage import FileStorage
from quickthumb.storage.layout import PROCESSED, UPLOADS

OLDEST_REDIS = (6, 2)
# Jobs run by Redis' clock; with more difference than this, the times that clients see look wrong.
CLOCK_SECONDS = 2.0
ANSWER_SECONDS = 5.0
GIBIBYTE = 1024**3


class Level(StrEnum):
    OK = "ok"
    WARNING = "warn"
    FAILURE = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: in one sentence, what is there or what is wrong, and what to do about it."""

    level: Level
    subject: str
    sentence: str


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
        read_presets(config.presets, config.imaging.max_outputs)
        endpoints_of(config.compat)
    except ConfigError as error:
        yield Finding(Level.FAILURE, "settings", str(error))
        return
    yield Finding(Level.OK, "settings", "They are valid.")
    yield from _folder(config)
    yield from asyncio.run(_redis(config))


def _folder(config: Config) -> Iterator[Finding]:
    folder = config.storage.data_dir
    try:
        found = folder.stat()
    except OSError as error:
        todo = "`quickthumb up` creates it; elsewhere, mount the volume or correct DATA_DIR"
        yield Finding(Level.FAILURE, "folder", f"Cannot use the data folder {folder}: {error.strerror}; {todo}.")
        return
    if not stat.S_ISDIR(found.st_mode):
        yield Finding(Level.FAILURE, "folder", f"DATA_DIR, {folder}, is not a folder.")
        return
    yield _writable(folder)
    if found.st_mode & stat.S_IWOTH:
        told = f"Everybody on this machine may change {folder}; run `chmod o-w {folder}`."
        yield Finding(Level.WARNING, "folder", told)
    yield _space(folder, config.storage.min_free_bytes)


def _writable(folder: Path) -> Finding:
    """Whether this process may write into the data folder and its parts, which may have other owners."""
    for part in (folder, folder / UPLOADS, folder / PROCESSED):
        if not part.is_dir():
            continue
        try:
            with tempfile.TemporaryFile(dir=part) as file:
                file.write(b"probe")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            found = part.stat()
            whose = f"mode {stat.filemode(found.st_mode)}, owner {found.st_uid}, this user {_uid()}"
            todo = "run all processes as its owner, or change the owner"
            return Finding(Level.FAILURE, "folder", f"Cannot write to {part}: {error.strerror} ({whose}); {todo}.")
    return Finding(Level.OK, "folder", f"{folder} takes writes.")


def _uid() -> int | str:
    return os.getuid() if hasattr(os, "getuid") else "unknown"


def _space(folder: Path, least_bytes: int) -> Finding:
    free_bytes = shutil.disk_usage(folder).free
    told = f"{free_bytes / GIBIBYTE:.1f} GiB are free"
    if free_bytes < least_bytes:
        todo = "make room, or uploads are refused (MIN_FREE_BYTES)"
        return Finding(Level.FAILURE, "space", f"Only {told}, less than {least_bytes / GIBIBYTE:.2f} GiB; {todo}.")
    return Finding(Level.OK, "space", f"{told}.")


async def _redis(config: Config) -> list[Finding]:
    """The checks that need Redis."""
    redis = connect(config.redis_connection_url, Redis, attempts=0, answer_seconds=ANSWER_SECONDS)
    outage = outage_of(redis)
    outage.is_silent = True
    keys = Keys(config.redis.prefix)
    try:
        facts = await inspect(redis, keys)
        store = JobStore(redis, retention_seconds=config.retention.job_seconds, keys=keys)
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
    told = f"Redis {facts.version} at {place}"
    version = tuple(int(part) for part in facts.version.split(".")[:2] if part.isdigit())
    if facts.is_cluster:
        return Finding(Level.FAILURE, "redis", f"{told} runs in cluster mode; use one without it.")
    if facts.is_replica:
        return Finding(Level.FAILURE, "redis", f"{told} is a replica; set REDIS_URL to the primary.")
    if version and version < OLDEST_REDIS:
        return Finding(Level.FAILURE, "redis", f"{told} is too old; use 6.2 or newer.")
    if facts.writes_fail:
        return Finding(Level.FAILURE, "redis", f"{told} cannot write to its disk; look into its log.")
    return Finding(Level.OK, "redis", f"{told} answers.")


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


COMMAND = Command("doctor", "Check the settings, the data folder, Redis and the workers.", add_options, run)
