"""What is recorded before the power is lost: every change that a storage offers, with what it promises.

A value that a thing may have from the beginning of a change on, it must have once the change has returned, if the
change is promised to survive.
"""

import asyncio
import contextlib
import errno
import os
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from quickthumb.model.job import new_id
from quickthumb.storage import FileStorage, RetentionAges
from quickthumb.storage.errors import StorageUnavailable
from quickthumb.storage.layout import mail_outcome, mail_record, outcome_key
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
        async with self.storage.workspace(job_id, new_id()) as workspace:
            for name, data in results.items():
                (workspace / name).write_bytes(data)
            if await self.storage.find(outcome_key(job_id)) is None:
                self.promises.may(thing, tuple(values))
            standing = await self.storage.conclude(job_id, workspace, outcome)
        if standing == outcome:
            self.promises.must(thing, tuple(values))
        return standing

    async def put(self, key: str, data: bytes) -> bool:
        if await self.storage.get(key) is None:
            self.promises.may(Small(key), data)
        created = await self.storage.put(key, data)
        self.promises.must(Small(key), await self.storage.get(key))
        return created


async def uploads(stage: Stage) -> None:
    """Uploads one after the other, small, large and slow, the last one into the folder of an earlier one."""
    first = await stage.keep()
    await stage.keep(source=LARGE)
    await stage.keep(source=LARGE, to_disk_early=True)
    await stage.keep(first[:3] + new_id()[3:])


async def uploads_at_once(stage: Stage) -> None:
    """Uploads at the same time, some into the same new folder."""
    shard = new_id()[:3]
    ids = [shard + new_id()[3:] for _ in range(2)] + [new_id() for _ in range(2)]
    await asyncio.gather(*(stage.keep(job_id, source=job_id.encode()) for job_id in ids))


async def an_upload_into_a_folder_that_is_not_synced(stage: Stage) -> None:
    """Another process has just made the folder, and was killed before it could sync it."""
    await stage.keep()
    job_id = new_id()
    (stage.folder / "uploads" / job_id[:3]).mkdir()
    await stage.keep(job_id)


async def an_upload_that_breaks_off(stage: Stage) -> None:
    async def broken_off(job_id: str) -> None:
        async with stage.storage.receive(job_id) as arrival:
            await arrival.write(LARGE)
            async with arrival.written() as path:
                assert path.stat().st_size == len(LARGE)

    stage.promises.may(Upload(new_id()), Upload.absent)
    await broken_off(new_id())


async def an_upload_that_cannot_be_synced(stage: Stage) -> None:
    """Each sync of an upload fails once. The client is told that nothing was kept; all of it is there, or nothing."""
    await stage.keep()
    stage.promises.start()
    refused: set[str] = set()

    def refuse_once(name: str) -> None:
        if name not in refused:
            refused.add(name)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    stage.recorder.refuse = refuse_once
    kept = None
    while kept is None:
        with contextlib.suppress(StorageUnavailable):
            kept = await stage.keep()
    stage.recorder.refuse = lambda _: None
    assert "data/uploads/SHARD: ID" in refused


async def an_upload_of_a_job_that_exists(stage: Stage) -> None:
    job_id = await stage.keep()
    async with stage.storage.receive(job_id) as arrival:
        await arrival.write(b"another")
        with pytest.raises(StorageUnavailable):
            await arrival.keep(b"another record")


async def shared_sources(stage: Stage) -> None:
    """Two jobs share a source, and the first one is removed."""
    job_id = await stage.keep(source=LARGE)
    stage.promises.start()
    other = await stage.share(job_id, source=LARGE)
    third = await stage.share(other, source=LARGE)
    await remove(stage, job_id, LARGE)
    await remove_source(stage, third, LARGE)
    await stage.conclude(third)


async def ends(stage: Stage) -> None:
    """One job ends, and another is cancelled."""
    done, cancelled = await stage.keep(), await stage.keep()
    stage.promises.start()
    await stage.conclude(done)
    await stage.conclude(cancelled, CANCELLED, {})


async def two_ends(stage: Stage) -> None:
    """Two attempts at a job end at the same time, and one late."""
    job_id = await stage.keep()
    stage.promises.start()
    await asyncio.gather(stage.conclude(job_id), stage.conclude(job_id))
    assert await stage.conclude(job_id, CANCELLED, {}) == DONE


async def an_end_in_a_folder_that_is_not_synced(stage: Stage) -> None:
    await stage.conclude(await stage.keep())
    job_id = await stage.keep()
    stage.promises.start()
    (stage.folder / "processed" / job_id[:3]).mkdir()
    await stage.conclude(job_id)


async def an_end_that_another_process_did_not_sync(stage: Stage) -> None:
    """The process that stored the outcome was killed before it synced the folder. Whoever is told this outcome by a
    later `conclude` can rely on it."""
    job_id = await stage.keep()
    stage.promises.start()
    refused: list[str] = []

    def refuse_the_last(name: str) -> None:
        if name.startswith("data/processed/SHARD:"):
            refused.append(name)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    stage.recorder.refuse = refuse_the_last
    with pytest.raises(StorageUnavailable):
        await stage.conclude(job_id)
    stage.recorder.refuse = lambda _: None
    assert refused
    assert await stage.conclude(job_id) == DONE


async def reopened(stage: Stage) -> None:
    """A job is reopened, concluded anew, and reopened in vain by someone who saw the first outcome."""
    job_id = await stage.keep()
    thing = End(job_id, tuple(RESULTS))
    stage.promises.start()
    await stage.conclude(job_id, b"FAILED", {})
    await stage.keep()
    stage.promises.may(thing, thing.absent)
    assert await stage.storage.reopen(job_id, b"FAILED")
    stage.promises.must(thing, thing.absent)
    await stage.conclude(job_id)
    assert not await stage.storage.reopen(job_id, b"FAILED")
    stage.promises.must(thing, (DONE, *RESULTS.values()))


async def small_objects(stage: Stage) -> None:
    """Two objects are stored side by side and deleted, and one is stored again."""
    mail_id = new_id()
    record, outcome = mail_record(mail_id), mail_outcome(mail_id)
    assert await stage.put(record, b"an email")
    assert await stage.put(outcome, b"sent")
    await delete(stage, record)
    await delete(stage, outcome)
    assert await stage.put(record, b"an email again")


async def a_small_object_that_is_there(stage: Stage) -> None:
    key = mail_record(new_id())
    assert await stage.put(key, b"an email")
    assert not await stage.put(key, b"another email")


async def a_small_object_that_another_process_did_not_sync(stage: Stage) -> None:
    key = mail_record(new_id())
    path = stage.folder / key
    stage.promises.may(Small(key), b"an email")
    path.parent.mkdir(parents=True)
    written = path.parent / f".{path.name}.{'0a' * 8}"
    with written.open("wb") as file:
        file.write(b"an email")
        file.flush()
        os.fsync(file.fileno())
    os.link(written, path)
    assert not await stage.put(key, b"an email")


async def removals(stage: Stage) -> None:
    """A job that waits and one that has ended are removed."""
    waiting, ended = await stage.keep(), await stage.keep(source=LARGE)
    await stage.conclude(ended)
    stage.promises.start()
    await remove(stage, waiting, b"source")
    await remove_source(stage, ended, LARGE)
    await remove(stage, ended, LARGE, end=(DONE, *RESULTS.values()))


async def expiry(stage: Stage) -> None:
    """A sweep removes a source, a job that ended and one that never did; and leaves what is not old enough."""
    source, ended, unended, young = [await stage.keep() for _ in range(4)]
    for job_id in (source, ended, young):
        await stage.conclude(job_id)
    day = 86_400
    for job_id, days in ((source, 2), (ended, 4), (unended, 9)):
        for path in (*stage.folder.glob(f"*/*/{job_id}"), *stage.folder.glob(f"*/*/{job_id}/*")):
            status = path.stat()
            os.utime(path, (status.st_atime, status.st_mtime - days * day))
    stage.promises.start()
    stage.promises.may(Upload(source), (RECORD, None, False))
    stage.promises.may(Upload(ended), *((*upload, False) for upload in parts_of((RECORD, b"source"))))
    stage.promises.may(End(ended, tuple(RESULTS)), *parts_of((DONE, *RESULTS.values())))
    stage.promises.may(Upload(unended), (None, b"source", True), (None, None, True))
    swept = await stage.storage.expire(RetentionAges(3 * day, day, 8 * day, day))
    assert (set(swept.job_ids), swept.sources) == ({ended, unended}, 1)


async def remove(stage: Stage, job_id: str, *sources: bytes | None, end: tuple[Hashable, ...] | None = None) -> None:
    """Removes a job that has one of these sources. Its record becomes a tombstone before anything else goes, and that
    stays; the rest goes in any order, and may come back."""
    thing = Upload(job_id)
    gone = [(None, source, True) for source in (*sources, None)]
    stage.promises.may(thing, *gone)
    if end is not None:
        stage.promises.may(End(job_id, tuple(RESULTS)), *parts_of(end))
    await stage.storage.remove(job_id)
    stage.promises.must(thing, *gone)


def parts_of(values: tuple[Hashable, ...]) -> list[tuple[Hashable, ...]]:
    """All combinations of these values and None."""
    parts: list[tuple[Hashable, ...]] = [()]
    for value in values:
        parts = [(*part, one) for part in parts for one in (value, None)]
    return parts


async def remove_source(stage: Stage, job_id: str, source: bytes) -> None:
    stage.promises.may(Upload(job_id), (RECORD, None, False))
    await stage.storage.remove_source(job_id)


async def delete(stage: Stage, key: str) -> None:
    stage.promises.may(Small(key), None)
    await stage.storage.delete(key)
    stage.promises.must(Small(key), None)


Scene = Callable[[Stage], Awaitable[None]]

SCENES: tuple[Scene, ...] = (
    uploads,
    uploads_at_once,
    an_upload_into_a_folder_that_is_not_synced,
    an_upload_that_breaks_off,
    an_upload_that_cannot_be_synced,
    an_upload_of_a_job_that_exists,
    shared_sources,
    ends,
    two_ends,
    an_end_in_a_folder_that_is_not_synced,
    an_end_that_another_process_did_not_sync,
    reopened,
    small_objects,
    a_small_object_that_is_there,
    a_small_object_that_another_process_did_not_sync,
    removals,
    expiry,
)

# In these, nobody syncs in vain: no change is refused, or made by two at the same time.
PLAIN_SCENES: tuple[Scene, ...] = (
    uploads,
    an_upload_into_a_folder_that_is_not_synced,
    shared_sources,
    ends,
    an_end_in_a_folder_that_is_not_synced,
    reopened,
    small_objects,
    removals,
    expiry,
)
