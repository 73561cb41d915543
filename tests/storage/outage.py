"""Loses the power of a recorded disk at every moment, and looks whether what was promised is still there."""

import asyncio
import os
import random
import re
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quickthumb.model.errors import QuickThumbError
from quickthumb.storage import FileStorage, RetentionAges, Storage, durability
from quickthumb.storage.layout import ARRIVING, MAIL, MAKING, OUTCOME, PROCESSED, RECORD, UPLOADS
from tests.storage.disk_log import Crash, Log, State
from tests.storage.promises import Promises, Upload, Values

HOUR_SECONDS = 3_600
# Only what was never finished is old enough to be swept.
SWEEP = RetentionAges(
    ended_seconds=48 * HOUR_SECONDS,
    source_seconds=48 * HOUR_SECONDS,
    unended_seconds=48 * HOUR_SECONDS,
    unfinished_seconds=HOUR_SECONDS,
)
AGE_SECONDS = 2 * HOUR_SECONDS
TEMPORARY = re.compile(r"\.[a-z.]+\.[0-9a-f]{16}")


@dataclass(frozen=True)
class Broken:
    """A promise that a disk does not keep: what was found instead, and after which step of the log."""

    moment: int
    what: str


class InThisThread(ThreadPoolExecutor):
    """Runs at once what others would run in a thread: the checks ask thousands of small questions one by one."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Outage:
    """Loses the power at every moment of a log, in several ways, and looks at what is left, in `place`."""

    def __init__(self, log: Log, promises: Promises, place: Path, *, tries: int) -> None:
        self._log = log
        self._promises = promises
        self._place = place
        self._tries = tries
        self._checked: set[tuple[frozenset[tuple[str, bytes | None]], Hashable]] = set()

    async def is_needed(self, sync: int) -> bool:
        """Whether a promise would be broken if the sync at this place in the log had not been made."""
        return await self.broken(frozenset({sync}), sweeping=False) is not None

    async def broken(self, ignored: frozenset[int] = frozenset(), *, sweeping: bool = True) -> Broken | None:
        """The first promise that is broken; None if all are kept. `ignored` syncs are taken for never made."""
        asyncio.get_running_loop().set_default_executor(InThisThread())
        with nothing_synced(), pytest.MonkeyPatch.context() as patched:
            patched.setattr(durability, "threads", InThisThread())
            for moment, state in self._states(ignored):
                allowed = self._promises.at(moment)
                key = frozenset(state.items()), frozenset(allowed.items())
                if key in self._checked:
                    continue
                what = await self._what_is_broken(state, allowed, sweeping=sweeping)
                if what is not None:
                    return Broken(moment, what)
                self._checked.add(key)
        return None

    def _states(self, ignored: frozenset[int]) -> Iterator[tuple[int, State]]:
        chance = random.Random(1)
        for moment in range(self._promises.first, len(self._log.steps) + 1):
            for state in Crash(self._log, moment, ignored).states(chance, self._tries):
                yield moment, state

    async def _what_is_broken(self, state: State, allowed: Values, *, sweeping: bool) -> str | None:
        put_on_disk(state, self._place)
        folder = self._place / "data"
        storage = FileStorage(folder)
        what = await _unexpected(storage, allowed)
        if what is None and sweeping:
            await storage.expire(SWEEP)
            what = await _unexpected(storage, allowed)
            remains = leftovers(folder, allowed)
            if what is None and remains:
                what = f"{remains} remain"
            what = what and f"after the sweep, {what}"
        return what


@contextmanager
def nothing_synced() -> Iterator[None]:
    """Within the block, syncs do nothing: they would only take time, since the power is not lost twice."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, lambda _: None, raising=False)
        yield


async def _unexpected(storage: Storage, allowed: Values) -> str | None:
    for thing, values in allowed.items():
        try:
            seen = await thing.read(storage)
        except QuickThumbError as error:
            return f"{thing} cannot be read: {error}"
        if seen not in values:
            return f"{thing} is {_short(seen)}, not {_short(values)}"
    return None


def put_on_disk(state: State, place: Path) -> None:
    """Makes a folder have this state, and be two hours old. Touches only what differs: most states are alike."""
    place.mkdir(exist_ok=True)
    there: State = {}
    for above, folders, files in os.walk(place, topdown=False):
        for found in (Path(above, name) for name in (*files, *folders)):
            path = found.relative_to(place).as_posix()
            there[path] = None if found.is_dir() else found.read_bytes()
            if path not in state or (state[path] is None) != (there[path] is None):
                (Path.rmdir if there.pop(path) is None else Path.unlink)(found)
    for path in sorted(state):
        if path not in there or there[path] != state[path]:
            _put(place / path, state[path])
    then = time.time() - AGE_SECONDS
    for path in state:
        os.utime(place / path, (then, then))


def _put(path: Path, data: bytes | None) -> None:
    if data is None:
        path.mkdir()
    else:
        path.write_bytes(data)


def leftovers(folder: Path, allowed: Values) -> list[str]:
    """What nobody can see in a data folder and no sweep has removed. Parts of jobs that were being removed, and left no
    tombstone, are no leftovers: they may come back."""
    left = [*folder.glob(f"{UPLOADS}/{ARRIVING}/*"), *folder.glob(f"{PROCESSED}/{MAKING}/*")]
    left += [file for file in (*folder.glob("*"), *folder.glob(f"{MAIL}/???/*/*")) if TEMPORARY.fullmatch(file.name)]
    uploads = {thing.job_id: values for thing, values in allowed.items() if isinstance(thing, Upload)}
    parts = {job_id for job_id, values in uploads.items() if any(map(is_part, values))}
    for job in (*folder.glob(f"{UPLOADS}/???/*"), *folder.glob(f"{PROCESSED}/???/*")):
        if job.name not in parts and not (job / RECORD).exists() and not (job / OUTCOME).exists():
            left.append(job)
    return sorted(str(path.relative_to(folder)) for path in left)


def is_part(value: Hashable) -> bool:
    """Whether an upload is a source alone: the rest of a job whose removal leaves no tombstone."""
    return isinstance(value, tuple) and value[0] is None and value[1] is not None and not value[2]


def _short(value: object) -> object:
    """The value with every long bytes shortened."""
    if isinstance(value, tuple | frozenset):
        return [_short(part) for part in value]
    return f"{value[:20]!r}… ({len(value)} bytes)" if isinstance(value, bytes) and len(value) > 40 else value
