"""The sweep of very many jobs, of which each call looks at a part."""

import os
import time
from pathlib import Path

import pytest

from quickthumb.model.job import new_id
from quickthumb.storage import FileStorage, RetentionAges, sweeping
from quickthumb.storage.layout import record_key, tombstone_key, upload_folder
from tests.storage.jobs import keep

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
