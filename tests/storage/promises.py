"""What a storage promised while it was recorded, and whether a disk that lost its power still keeps it."""

import asyncio
import os
import random
import re
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from quickthumb.model.errors import QuickThumbError
from quickthumb.storage import FileStorage, RetentionAges, Storage
from quickthumb.storage.layout import ARRIVING, MAIL, MAKING, OUTCOME, PROCESSED, RECORD, UPLOADS
from tests.storage.disk_log import Crash, Log, State
from tests.storage.disk_recorder import Recorder
from tests.storage.jobs import content

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


class Thing(Protocol):
    """Something that a storage has or lacks. `absent` is its value in an empty storage."""

    @property
    def absent(self) -> Hashable: ...

    async def read(self, storage: Storage) -> Hashable: ...


@dataclass(frozen=True)
class Upload:
    """A job's record and source, and whether there is its tombstone."""

    job_id: str
    absent: ClassVar[Hashable] = (None, None, False)

    async def read(self, storage: Storage) -> Hashable:
        kept = await storage.look_up(self.job_id)
        source = None if kept.source is None else await content(storage, kept.source)
        return kept.record, source, await storage.was_removed(self.job_id)


def is_part(value: Hashable) -> bool:
    """Whether an upload is a source alone: the rest of a job whose removal leaves no tombstone."""
    return isinstance(value, tuple) and value[0] is None and value[1] is not None and not value[2]


@dataclass(frozen=True)
class End:
    """A job's outcome and those results that it may have."""

    job_id: str
    results: tuple[str, ...]

    @property
    def absent(self) -> Hashable:
        return (None, *(None for _ in self.results))

    async def read(self, storage: Storage) -> Hashable:
        blobs = [await storage.result(self.job_id, name) for name in self.results]
        results = [None if blob is None else await content(storage, blob) for blob in blobs]
        return ((await storage.look_up(self.job_id)).outcome, *results)


@dataclass(frozen=True)
class Small:
    """A small object."""

    key: str
    absent: ClassVar[Hashable] = None

    async def read(self, storage: Storage) -> Hashable:
        return await storage.get(self.key)


@dataclass(frozen=True)
class Identity:
    """The id of the store."""

    absent: ClassVar[Hashable] = None

    async def read(self, storage: Storage) -> Hashable:
        return await storage.find_identity()


Values = dict[Thing, frozenset[Hashable]]


class Promises:
    """Which values each thing may have after a loss of power, from which moment on."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.first = 0
        self._made: list[tuple[int, Thing, frozenset[Hashable], bool]] = []

    def now(self) -> int:
        """This moment, as a place in the log."""
        return self._recorder.look()

    def start(self) -> None:
        """The power is lost from now on only: other scenes show that what came before can be relied on."""
        self.first = self.now()

    def may(self, thing: Thing, *values: Hashable, since: int | None = None) -> None:
        """From now on, or since an earlier moment, the thing may also have one of these values."""
        self._made.append((self.now() if since is None else since, thing, frozenset(values), False))

    def must(self, thing: Thing, *values: Hashable) -> None:
        """From now on the thing has one of these values, until it may have another."""
        self._made.append((self.now(), thing, frozenset(values), True))

    def at(self, moment: int) -> Values:
        """The values that each thing may have if the power is lost at this moment."""
        values: Values = {thing: frozenset({thing.absent}) for _, thing, _, _ in self._made}
        for since, thing, some, certain in sorted(self._made, key=lambda made: made[0]):
            if since <= moment:
                values[thing] = some if certain else values[thing] | some
        return values


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

    def __init__(self, log: Log, promises: Promises, place: Path, *, tries: int, seed: int = 1) -> None:
        self._log = log
        self._promises = promises
        self._place = place
        self._tries = tries
        self._seed = seed
        self._checked: set[tuple[frozenset[tuple[str, bytes | None]], Hashable]] = set()

    async def is_needed(self, sync: int) -> bool:
        """Whether a promise would be broken if the sync at this place in the log had not been made."""
        return await self.broken(frozenset({sync}), sweeping=False) is not None

    async def broken(self, ignored: frozenset[int] = frozenset(), *, sweeping: bool = True) -> Broken | None:
        """The first promise that is broken; None if all are kept. `ignored` syncs are taken for never made."""
        asyncio.get_running_loop().set_default_executor(InThisThread())
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

    @property
    def states(self) -> int:
        """How many different states were found to be good."""
        return len(self._checked)

    def _states(self, ignored: frozenset[int]) -> Iterator[tuple[int, State]]:
        chance = random.Random(self._seed)
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


def _short(value: object) -> object:
    """The value with every long bytes shortened."""
    if isinstance(value, tuple | frozenset):
        return [_short(part) for part in value]
    return f"{value[:20]!r}… ({len(value)} bytes)" if isinstance(value, bytes) and len(value) > 40 else value
