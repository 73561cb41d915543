"""What a storage promised while it was recorded: which values each thing may have once the power was lost."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from quickthumb.storage import Storage
from tests.storage.disk_recorder import Recorder
from tests.storage.jobs import content


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
