"""Sources that jobs share on a file system: one file under several names."""

import asyncio
import errno
import os
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from quickthumb.model.job import new_id
from quickthumb.storage import FileStorage, Kept, RetentionAges, arrivals, durability
from tests.storage.jobs import GrowOlder, Left, Stopper, content, is_in_step, keep


def source_of(folder: Path, job_id: str) -> Path:
    return folder / "uploads" / job_id[:3] / job_id / "source"


async def test_a_shared_source_is_one_file(storage: FileStorage, folder: Path) -> None:
    job_id, other = await keep(storage), new_id()
    assert await storage.share(job_id, other, b"record")
    assert source_of(folder, job_id).samefile(source_of(folder, other))
    assert source_of(folder, other).stat().st_nlink == 2
    await storage.remove_source(job_id)
    assert source_of(folder, other).stat().st_nlink == 1


@pytest.mark.parametrize("number", [errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])
async def test_a_source_that_cannot_be_linked_is_copied(
    storage: FileStorage, folder: Path, left: Left, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def link(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    job_id, other = await keep(storage, b"source" * 100_000), new_id()
    monkeypatch.setattr(os, "link", link)
    assert await storage.share(job_id, other, b"record")
    assert not source_of(folder, job_id).samefile(source_of(folder, other))
    await storage.remove(job_id)
    assert await content(storage, await storage.source(other)) == b"source" * 100_000
    await storage.remove(other)
    assert left() == []


async def test_a_source_that_vanishes_while_it_is_shared_leaves_nothing(
    storage: FileStorage, folder: Path, left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def vanished_before(source: Path, place: Path) -> None:
        source.unlink()
        link(source, place)

    job_id = await keep(storage)
    monkeypatch.setattr(os, "link", vanished_before)
    assert not await storage.share(job_id, new_id(), b"record")
    assert left() == [f"uploads/{job_id[:3]}/{job_id}/job.json"]


@pytest.mark.parametrize("step", ["before the move", "after the move"])
async def test_whoever_is_cancelled_while_sharing_shares_nothing(
    storage: FileStorage, left: Left, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    job_id, other = await keep(storage), new_id()
    before = left()
    stopper = Stopper()
    monkeypatch.setattr(arrivals, "sync", stopper.sync(is_in_step(step)))
    task = asyncio.create_task(storage.share(job_id, other, b"record"))
    await stopper.has_stopped()
    task.cancel()
    await asyncio.sleep(0)
    stopper.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await storage.look_up(other) == Kept(None, None, None)
    assert left() == before


async def test_the_sweep_leaves_a_source_alone_that_is_being_shared(
    storage: FileStorage, grow_older: GrowOlder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = RetentionAges(ended_seconds=3600, source_seconds=3600, unended_seconds=3600, unfinished_seconds=3600)
    job_id, other = await keep(storage), new_id()
    reached, go_on = threading.Event(), threading.Event()
    sync_together = durability.sync_together

    def slow(*files: BinaryIO) -> None:
        reached.set()
        go_on.wait(10)
        sync_together(*files)

    monkeypatch.setattr(arrivals, "sync_together", slow)
    sharing = asyncio.create_task(storage.share(job_id, other, b"record"))
    await asyncio.to_thread(reached.wait, 10)
    grow_older(60)
    assert (await storage.expire(ages)).unfinished == 0
    go_on.set()
    assert await sharing
    assert await content(storage, await storage.source(other)) == b"source"
