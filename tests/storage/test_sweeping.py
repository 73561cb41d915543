"""The sweep of very many jobs, of which each call looks at a part."""

import json
import math
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from quickthumb.model.job import new_id
from quickthumb.model.retention import Retention
from quickthumb.storage import FileStorage, RetentionAges, objects, sweeping
from quickthumb.storage.layout import keep_key, outcome_key, record_key, tombstone_key, upload_folder
from tests.storage.jobs import end, keep

AGES = RetentionAges(ended_seconds=3600, source_seconds=3600, unended_seconds=3600, unfinished_seconds=3600)


async def test_of_many_jobs_each_sweep_looks_at_the_next_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "MOST_JOBS", 3)
    storage = FileStorage(tmp_path)
    ids = [f"{number:x}{new_id()[1:]}" for number in range(8)]
    for job_id in ids:
        await keep(storage, job_id=job_id)
        os.utime(tmp_path / record_key(job_id), (0, time.time() - 60))
    swept = [(await storage.expire(AGES)).unended for _ in range(6)]
    assert {len(part) for part in swept} == {3}
    # It begins anywhere, and goes round more than twice.
    looked_at = [job_id for part in swept for job_id in part]
    start = ids.index(looked_at[0])
    assert looked_at == ([*ids[start:], *ids[:start]] * 3)[: len(looked_at)]


async def test_what_is_new_is_swept_before_all_else_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shard at which a sweep stopped may be gone when the next one begins."""
    monkeypatch.setattr(sweeping, "MOST_JOBS", 1)
    storage = FileStorage(tmp_path)
    ids = [f"{number:x}{new_id()[1:]}" for number in (1, 5, 9)]
    for job_id in ids:
        await keep(storage, job_id=job_id)
        os.utime(tmp_path / record_key(job_id), (0, time.time() - 60))
    (first,) = (await storage.expire(AGES)).unended
    await storage.remove(first)
    (tmp_path / upload_folder(first)).parent.rmdir()
    following = ids[(ids.index(first) + 1) % 3]
    assert (await storage.expire(AGES)).unended == (following,)


async def test_tombstones_are_swept_part_by_part_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "MOST_JOBS", 2)
    storage = FileStorage(tmp_path)
    for number in range(4):
        job_id = await keep(storage, job_id=f"{number:x}{new_id()[1:]}")
        await storage.remove(job_id)
        (tmp_path / upload_folder(job_id)).parent.rmdir()
        os.utime(tmp_path / tombstone_key(job_id), (0, time.time() - 7200))
    left = []
    for _ in range(2):
        await storage.expire(AGES)
        left.append(len(list((tmp_path / "uploads" / ".removed").iterdir())))
    assert left == [2, 0]


def grown_old(folder: Path, job_id: str, seconds: float) -> None:
    os.utime(folder / outcome_key(job_id), (0, time.time() - seconds))


async def test_records_are_read_only_where_the_tenant_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, read, read_object = FileStorage(tmp_path), [], objects.read

    def noted(path: Path) -> bytes | None:
        read.append(path.parent.name)
        return read_object(path)

    monkeypatch.setattr(objects, "read", noted)
    young, between, old = [await keep(storage, record=json.dumps({"tenant": "ada"}).encode()) for _ in range(3)]
    for job_id, seconds in ((young, 100), (between, 2_000), (old, 5_000)):
        await end(storage, job_id, {}, b"DONE")
        grown_old(tmp_path, job_id, seconds)
    read.clear()
    ages = replace(AGES, tenants={"ada": Retention(1_000, 1_000)})
    assert set((await storage.expire(ages)).job_ids) == {between, old}
    assert read == [between]
    assert (await storage.expire(replace(AGES, tenants={"ada": AGES.general}))).job_ids == ()
    assert read == [between]


async def test_a_source_that_is_gone_makes_no_record_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = FileStorage(tmp_path)
    job_id = await keep(storage, record=json.dumps({"tenant": "ada"}).encode())
    await end(storage, job_id, {}, b"DONE")
    grown_old(tmp_path, job_id, 100)
    ages = replace(AGES, tenants={"ada": Retention(AGES.ended_seconds, 0)})
    assert (await storage.expire(ages)).sources == 1
    monkeypatch.delattr(objects, "read")
    assert (await storage.expire(ages)).sources == 0


@pytest.mark.parametrize("written", [b"", b"30 days", b"\xff", b"forever\n"])
async def test_a_job_is_not_removed_if_it_cannot_be_read_how_long_it_is_kept(tmp_path: Path, written: bytes) -> None:
    storage = FileStorage(tmp_path)
    job_id = await keep(storage)
    await end(storage, job_id, {}, b"DONE", keep="1m")
    (tmp_path / keep_key(job_id)).write_bytes(written)
    grown_old(tmp_path, job_id, 1_000_000)
    assert (await storage.expire(AGES)).job_ids == ()


async def test_results_without_a_record_are_kept_as_long_as_they_say(tmp_path: Path) -> None:
    storage, ids = FileStorage(tmp_path), [new_id() for _ in range(2)]
    for job_id, how_long in zip(ids, ("forever", "1m"), strict=True):
        await end(storage, job_id, {}, b"DONE", keep=how_long)
        folder = (tmp_path / outcome_key(job_id)).parent
        os.utime(folder, (0, time.time() - AGES.ended_seconds / 2))
    assert (await storage.expire(AGES)).job_ids == (ids[1],)


async def test_what_an_older_release_stored_is_kept_as_the_settings_say(tmp_path: Path) -> None:
    """Its records have no tenant, and beside its outcomes nothing says how long."""
    storage = FileStorage(tmp_path)
    job_id = await keep(storage, record=b'{"id": "0"}')
    await end(storage, job_id, {}, b"DONE")
    assert not (tmp_path / keep_key(job_id)).exists()
    grown_old(tmp_path, job_id, 5_000)
    for_good = replace(AGES, ended_seconds=math.inf, source_seconds=math.inf)
    assert (await storage.expire(for_good)).job_ids == ()
    assert (await storage.expire(replace(AGES, tenants={"default": Retention(9_000, 9_000)}))).job_ids == ()
    assert (await storage.expire(AGES)).job_ids == (job_id,)
