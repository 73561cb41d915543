"""The storage on a file system: the contract, and what is particular to files."""

import asyncio
import contextlib
import errno
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest

from quickthumb.model.job import new_id
from quickthumb.storage import FileStorage, Kept, RetentionAges, arrivals, durability, files, sweeping
from quickthumb.storage.errors import BlobGone, DiskFull, StorageUnavailable
from tests.storage.contract import StorageContract
from tests.storage.jobs import Left, Stopper, bytes_of, content, end, is_in_step, keep


class TestFileStorage(StorageContract):
    """The contract, on files."""


class TestFileStorageWithoutMemory(StorageContract):
    """The contract, on files, with every upload going to the disk as it arrives."""

    @pytest.fixture
    def storage(self, folder: Path) -> FileStorage:
        return FileStorage(folder, memory_bytes=0)


async def test_a_folder_that_cannot_be_synced_after_the_move_keeps_nothing(
    storage: FileStorage, left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(storage)
    before = left()
    sync = durability.sync

    def fails_at_the_place(path: Path) -> None:
        if ".arriving" not in str(path):
            raise OSError(errno.EIO, "broken")
        sync(path)

    monkeypatch.setattr(arrivals, "sync", fails_at_the_place)
    job_id = new_id()
    with pytest.raises(StorageUnavailable):
        await keep(storage, job_id=job_id)
    assert await storage.look_up(job_id) == Kept(None, None, None)
    assert left() == before


@pytest.mark.parametrize("step", ["before the move", "after the move"])
async def test_whoever_is_cancelled_while_it_is_kept_keeps_nothing(
    storage: FileStorage, left: Left, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    stopper = Stopper()
    monkeypatch.setattr(arrivals, "sync", stopper.sync(is_in_step(step)))
    job_id = new_id()
    task = asyncio.create_task(keep(storage, job_id=job_id))
    await stopper.has_stopped()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    stopper.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await storage.look_up(job_id) == Kept(None, None, None)
    assert left() == []


async def test_an_attempt_that_is_cancelled_while_it_ends_never_ends_half(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()
    sync_together = durability.sync_together

    def slow(*files: BinaryIO | int) -> None:
        reached.set()
        go_on.wait(10)
        sync_together(*files)

    job_id = await keep(storage)
    monkeypatch.setattr(files, "sync_together", slow)
    task = asyncio.create_task(end(storage, job_id, {"a.jpg": b"a"}, b"DONE"))
    await asyncio.to_thread(reached.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await storage.look_up(job_id)).outcome == b"DONE"
    assert await storage.result(job_id, "a.jpg") is not None


@contextlib.contextmanager
def tiny_disk(place: Path, size: str) -> Iterator[None]:
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


async def test_a_disk_that_is_really_full(folder: Path, left: Left) -> None:
    with tiny_disk(folder, "512k"):
        storage = FileStorage(folder)
        for size in (600_000, 511 * 1024):
            with pytest.raises(DiskFull):
                await keep(storage, b"x" * size, b"record" * 10_000)
            assert left() == []
        with pytest.raises(StorageUnavailable):
            await FileStorage(folder, min_free_bytes=1024 * 1024).probe()
        (folder / "ballast").write_bytes(b"x" * 480_000)
        with pytest.raises(DiskFull):
            await storage.probe()
        (folder / "ballast").unlink()
        job_id = await keep(storage)
        with pytest.raises(DiskFull):
            await end(storage, job_id, {}, b"x" * 600_000)
        assert (await storage.look_up(job_id)).outcome is None


async def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    storage = FileStorage(tmp_path / "file" / "data")
    with pytest.raises(StorageUnavailable):
        await storage.probe()
    with pytest.raises(StorageUnavailable):
        await keep(storage)


async def test_jobs_are_spread_over_folders(storage: FileStorage, folder: Path) -> None:
    job_id = await keep(storage)
    assert (folder / "uploads" / job_id[:3] / job_id / "source").is_file()


async def test_a_source_whose_process_died_is_swept_though_it_is_young(folder: Path) -> None:
    storage = FileStorage(folder, memory_bytes=0)
    ages = RetentionAges(ended_seconds=3600, source_seconds=3600, unended_seconds=3600, unfinished_seconds=3600)
    arriving = folder / "uploads" / ".arriving"
    abandoned = arriving / new_id()
    async with storage.receive(new_id()) as arrival:
        await arrival.write(b"still coming")
        abandoned.mkdir()
        (abandoned / "source").write_bytes(b"half a picture")
        assert (await storage.expire(ages)).unfinished == 0
        for arrived in arriving.iterdir():
            os.utime(arrived, (0, time.time() - 60))
        assert (await storage.expire(ages)).unfinished == 1
        assert not abandoned.exists()
        await arrival.keep(b"{}")


async def test_the_sweep_tells_what_has_not_ended(storage: FileStorage, folder: Path) -> None:
    ages = RetentionAges(ended_seconds=3600, source_seconds=3600, unended_seconds=3600, unfinished_seconds=3600)
    job_id = await keep(storage)
    assert (await storage.expire(ages)).unended == ()
    record = folder / "uploads" / job_id[:3] / job_id / "job.json"
    os.utime(record, (0, time.time() - 60))
    assert (await storage.expire(ages)).unended == (job_id,)


# The files as the first release wrote them and expects to read them.
JOB = "5f0" + "c" * 29
LAID_OUT = {
    f"uploads/5f0/{JOB}/source": b"source",
    f"uploads/5f0/{JOB}/job.json": b"record",
    f"processed/5f0/{JOB}/thumbnail.jpg": b"result",
    f"processed/5f0/{JOB}/outcome.json": b"outcome",
}


async def test_a_folder_of_the_first_release_is_read(storage: FileStorage, folder: Path) -> None:
    for name, data in LAID_OUT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    kept = await storage.look_up(JOB)
    assert (kept.record, await content(storage, kept.source), kept.outcome) == (b"record", b"source", b"outcome")
    assert await bytes_of(storage, JOB, "thumbnail.jpg") == b"result"
    assert [ids async for ids in storage.job_ids()] == [[JOB]]
    await storage.remove(JOB)
    assert await storage.look_up(JOB) == Kept(None, None, None)


async def test_the_ids_of_few_and_of_full_shards_come_in_batches(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 3)
    ids = [f"{shard}{number:029x}" for shard, count in (("000", 1), ("001", 1), ("002", 7)) for number in range(count)]
    for job_id in ids:
        await keep(storage, job_id=job_id)
    assert [batch async for batch in storage.job_ids()] == [ids[:3], ids[3:6], ids[6:]]


async def test_the_first_release_could_read_what_is_written(storage: FileStorage, folder: Path, left: Left) -> None:
    await keep(storage, job_id=JOB)
    await end(storage, JOB, {"thumbnail.jpg": b"result"}, b"outcome")
    assert left() == sorted(LAID_OUT)
    assert {name: (folder / name).read_bytes() for name in LAID_OUT} == LAID_OUT


async def test_a_source_cut_short_never_ends_early(storage: FileStorage, folder: Path) -> None:
    blob = await storage.source(await keep(storage, b"source" * 200_000))
    assert blob is not None
    async with aclosing(storage.read(blob)) as blocks:
        await anext(blocks)
        os.truncate(folder / blob.key, 10)
        with pytest.raises(BlobGone):
            await anext(blocks)


async def test_a_reader_that_is_cancelled_leaves_no_file_open(storage: FileStorage, folder: Path) -> None:
    blob = await storage.source(await keep(storage, b"source" * 500_000))
    assert blob is not None
    for turns in range(6):
        task = asyncio.create_task(content(storage, blob))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not [file for file in psutil.Process().open_files() if file.path.startswith(str(folder))]
