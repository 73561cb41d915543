"""Tombstones and half-written files in a data folder."""

import os
import time
from pathlib import Path

import pytest

from quickthumb.model.job import new_id
from quickthumb.storage import FileStorage, Kept, RetentionAges, removal
from quickthumb.storage.layout import mail_outcome, mail_record
from tests.storage.jobs import GrowOlder, Left, end, keep

AGES = RetentionAges(ended_seconds=1_000, source_seconds=1_000, unended_seconds=2_000, unfinished_seconds=100)


def tombstones(folder: Path) -> dict[str, int]:
    """The tombstones, with their size in bytes."""
    return {path.name: path.stat().st_size for path in (folder / "uploads" / ".removed").glob("*")}


async def test_a_tombstone_takes_no_room_and_goes_once_redis_can_have_nothing_of_the_job(
    storage: FileStorage, folder: Path, grow_older: GrowOlder
) -> None:
    job_id = await keep(storage)
    grow_older(1_990)
    await storage.remove(job_id)
    assert tombstones(folder) == {job_id: 0}
    grow_older(1_990)
    await storage.expire(AGES)
    assert tombstones(folder) == {job_id: 0}
    grow_older(20)
    await storage.expire(AGES)
    assert tombstones(folder) == {}


async def test_a_removal_whose_process_died_is_completed_by_the_sweep(
    storage: FileStorage, left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await keep(storage)
    await end(storage, job_id, {"a.jpg": b"a"}, b"DONE")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(removal, "remove_files", dies)
        with pytest.raises(KeyboardInterrupt):
            removal.remove_job(Path(storage.place), job_id)
    assert (await storage.look_up(job_id)).record is None
    assert await storage.was_removed(job_id)
    await storage.expire(AGES)
    assert left() == []


async def test_the_sweep_leaves_a_tombstone_only_where_redis_may_still_have_the_job(
    storage: FileStorage, folder: Path, grow_older: GrowOlder
) -> None:
    never_ended, ended = await keep(storage), await keep(storage)
    await end(storage, ended, {}, b"DONE")
    grow_older(3_000)
    assert set((await storage.expire(AGES)).job_ids) == {never_ended, ended}
    assert set(tombstones(folder)) == {never_ended}


async def test_results_whose_record_is_missing_are_kept_for_their_retention_time(
    storage: FileStorage, grow_older: GrowOlder
) -> None:
    job_id = new_id()
    await end(storage, job_id, {"a.jpg": b"a"}, b"DONE")
    grow_older(900)
    assert (await storage.expire(AGES)).job_ids == ()
    grow_older(200)
    assert (await storage.expire(AGES)).job_ids == (job_id,)
    assert await storage.look_up(job_id) == Kept(None, None, None)


async def test_what_a_process_was_writing_when_it_died_is_swept(storage: FileStorage, folder: Path) -> None:
    email_id = new_id()
    await storage.put(mail_record(email_id), b"record")
    await storage.identity()
    mail = (folder / mail_outcome(email_id)).parent
    half_written = [mail / f".outcome.json.{'0a' * 8}", folder / f".store.json.{'0b' * 8}"]
    for area, name in (("keys", "4hVq0zTn8sLb.ends.0c.json"), ("webhooks", f"{email_id}.json"), ("sessions", "a.json")):
        (folder / area).mkdir()
        half_written.append(folder / area / f".{name}.{'0c' * 8}")
    mine = folder / ".notes"
    for path in (*half_written, mine):
        path.write_bytes(b"half")
    assert (await storage.expire(AGES)).unfinished == 0
    for path in (*half_written, mine):
        os.utime(path, (0, time.time() - 200))
    assert (await storage.expire(AGES)).unfinished == len(half_written)
    assert not any(path.exists() for path in half_written)
    assert sorted(path.name for path in (*mail.iterdir(), *folder.iterdir()) if path.is_file()) == [
        ".notes",
        "record.json",
        "store.json",
    ]
