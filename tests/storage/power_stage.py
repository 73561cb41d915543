"""A storage whose changes are recorded, and what it promises with each of them.

A value that a thing may have from the beginning of a change on, it must have once the change has returned, if the
change is promised to survive.
"""

from collections.abc import Hashable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from quickthumb.model.job import new_id
from quickthumb.storage import FileStorage
from tests.storage.disk_recorder import Recorder
from tests.storage.promises import End, Identity, Promises, Small, Upload

RECORD = b'{"id": "a record"}'
# Longer than a few blocks.
LARGE = bytes(range(256)) * 40
RESULTS = {"thumbnail.jpg": b"small", "large.webp": LARGE}
DONE, CANCELLED = b'{"status": "DONE"}', b'{"status": "CANCELLED"}'


@dataclass
class Stage:
    """A storage whose changes are recorded, and what it has promised so far."""

    recorder: Recorder
    folder: Path
    storage: FileStorage = field(init=False)
    promises: Promises = field(init=False)

    def __post_init__(self) -> None:
        self.storage = FileStorage(self.folder)
        self.promises = Promises(self.recorder)

    async def begin(self) -> None:
        """Gives the store its identity, as every process does first."""
        before = self.promises.now()
        identity = await self.storage.identity()
        self.promises.may(Identity(), identity, since=before)
        self.promises.must(Identity(), identity)
        self.storage.expect(identity)

    async def keep(self, job_id: str | None = None, *, source: bytes = b"source", to_disk_early: bool = False) -> str:
        """Keeps a job. With `to_disk_early`, the disk has the first part of the source before the rest arrives."""
        job_id = job_id or new_id()
        thing, value = Upload(job_id), (RECORD, source, False)
        self.promises.may(thing, value)
        async with self.storage.receive(job_id) as arrival:
            for start in range(0, len(source), 7_000):
                await arrival.write(source[start : start + 7_000])
                if to_disk_early:
                    async with arrival.written() as path:
                        assert path.read_bytes() == source[: start + 7_000]
            await arrival.keep(RECORD)
            self.promises.must(thing, value)
        return job_id

    async def share(self, job_id: str, *, source: bytes = b"source") -> str:
        thing, value = Upload(new_id()), (RECORD, source, False)
        self.promises.may(thing, value)
        assert await self.storage.share(job_id, thing.job_id, RECORD)
        self.promises.must(thing, value)
        return thing.job_id

    async def conclude(self, job_id: str, outcome: bytes = DONE, results: dict[str, bytes] = RESULTS) -> bytes:
        """Concludes the job if it was not; promises whichever outcome stands."""
        thing = End(job_id, tuple(RESULTS))
        values = [outcome, *(results.get(name) for name in thing.results)]
        async with AsyncExitStack() as stack:
            work = await stack.enter_async_context(self.storage.work_on(job_id, new_id()))
            workspace = work.folder
            if workspace is None:  # the job has ended, but a late attempt is under way all the same
                workspace = await stack.enter_async_context(self.storage.workspace(job_id, new_id()))
            for name, data in results.items():
                (workspace / name).write_bytes(data)
            if work.kept.outcome is None:
                self.promises.may(thing, tuple(values))
            standing = await self.storage.conclude(job_id, workspace, outcome, [*results])
        if standing == outcome:
            self.promises.must(thing, tuple(values))
        return standing

    async def put(self, key: str, data: bytes) -> bool:
        if await self.storage.get(key) is None:
            self.promises.may(Small(key), data)
        created = await self.storage.put(key, data)
        self.promises.must(Small(key), await self.storage.get(key))
        return created

    async def remove(self, job_id: str, *sources: bytes | None, end: tuple[Hashable, ...] | None = None) -> None:
        """Removes a job that has one of these sources. Its record becomes a tombstone before anything else goes, and
        that stays; the rest goes in any order, and may come back."""
        thing = Upload(job_id)
        gone = [(None, source, True) for source in (*sources, None)]
        self.promises.may(thing, *gone)
        if end is not None:
            self.promises.may(End(job_id, tuple(RESULTS)), *parts_of(end))
        await self.storage.remove(job_id)
        self.promises.must(thing, *gone)

    async def remove_source(self, job_id: str) -> None:
        self.promises.may(Upload(job_id), (RECORD, None, False))
        await self.storage.remove_source(job_id)

    async def delete(self, key: str) -> None:
        self.promises.may(Small(key), None)
        await self.storage.delete(key)
        self.promises.must(Small(key), None)


def parts_of(values: tuple[Hashable, ...]) -> list[tuple[Hashable, ...]]:
    """All combinations of these values and None."""
    return list(product(*((value, None) for value in values)))
