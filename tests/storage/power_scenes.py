"""What happens before the power is lost: every change that a storage offers, in good order and in bad."""

import asyncio
import contextlib
import errno
import os
from collections.abc import Awaitable, Callable

import pytest

from quickthumb.model.job import new_id
from quickthumb.storage import RetentionAges
from quickthumb.storage.errors import StorageUnavailable
from quickthumb.storage.layout import mail_outcome, mail_record
from tests.storage.power_stage import CANCELLED, DONE, LARGE, RECORD, RESULTS, Stage, parts_of
from tests.storage.promises import End, Small, Upload


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
    (stage.folder / "uploads" / job_id[:3]).mkdir(exist_ok=True)
    await stage.keep(job_id)


async def an_upload_that_breaks_off(stage: Stage) -> None:
    thing = Upload(new_id())
    stage.promises.must(thing, thing.absent)
    async with stage.storage.receive(thing.job_id) as arrival:
        await arrival.write(LARGE)
        async with arrival.written() as path:
            assert path.stat().st_size == len(LARGE)


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
    await stage.remove(job_id, LARGE)
    await stage.remove_source(third)
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
    """As with the upload."""
    await stage.conclude(await stage.keep())
    job_id = await stage.keep()
    stage.promises.start()
    (stage.folder / "processed" / job_id[:3]).mkdir(exist_ok=True)
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
    await stage.delete(record)
    await stage.delete(outcome)
    assert await stage.put(record, b"an email again")


async def a_small_object_that_is_there(stage: Stage) -> None:
    key = mail_record(new_id())
    assert await stage.put(key, b"an email")
    assert not await stage.put(key, b"another email")


async def a_small_object_that_another_process_did_not_sync(stage: Stage) -> None:
    """The process that made the object was killed before it synced any folder. Whoever is told that the object
    exists can rely on it."""
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
    await stage.remove(waiting, b"source")
    await stage.remove_source(ended)
    await stage.remove(ended, LARGE, end=(DONE, *RESULTS.values()))


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
