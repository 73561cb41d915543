"""The retention sweep: removes what has outlived its retention time. It touches only names that `layout` makes."""

import contextlib
import os
import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quickthumb.storage import objects, removal
from quickthumb.storage.contract import BATCH, RetentionAges, SweepReport
from quickthumb.storage.durability import is_claimed, remove_folder
from quickthumb.storage.layout import (
    ARRIVING,
    BATCHES,
    BEING_WRITTEN,
    HOUR_NAME,
    JOB_NAME,
    MAIL,
    MAKING,
    POLICIES,
    PROCESSED,
    REMOVED,
    SHARD_DIGITS,
    SHARD_NAME,
    SOURCE,
    UPLOADS,
    outcome_key,
    record_key,
    result_folder,
    source_key,
    tombstone_key,
    upload_folder,
)

# The sweep skips anything younger: a process may have created an upload but not locked it yet, or stored a job but not
# queued it yet.
BEGUN_SECONDS = 3.0
# How many jobs a sweep looks at, which takes 2 to 4 seconds of a core. A million jobs a day that are kept for a week
# would keep a core busy if each sweep looked at all of them. This way, they outlive their retention time by a twentieth
# of it at most.
MOST_JOBS = 100_000


def shards(area: Path) -> list[Path]:
    """The folders over which an area spreads its jobs."""
    return [area / name for name in _names(area, SHARD_NAME)]


def jobs(shard: Path) -> list[str]:
    """The ids of the jobs in one shard."""
    return _names(shard, JOB_NAME)


def batches(area: Path) -> Iterator[list[str]]:
    """The ids of all jobs in an area, BATCH at a time: a shard alone often has only a few."""
    batch: list[str] = []
    for shard in shards(area):
        batch += jobs(shard)
        while len(batch) >= BATCH:
            yield batch[:BATCH]
            batch = batch[BATCH:]
    if batch:
        yield batch


def sweep(root: Path, ages: RetentionAges, after: str) -> tuple[SweepReport, str]:
    """Removes the jobs, sources and unfinished folders that are older than `ages` allow, and reports them.

    Begins with the shard that follows the name `after`, and looks at the others in turn, until it has looked at
    MOST_JOBS or at all. Also returns the name of the last shard that it looked at.
    """
    sweeper = _Sweeper(root, ages)
    reached = sweeper.sweep_shards(after)
    for area in (root / UPLOADS / ARRIVING, root / PROCESSED / MAKING):
        sweeper.sweep_unfinished(area)
    hours = _children(root / POLICIES, HOUR_NAME.fullmatch)
    for folder in (
        root,
        *hours,
        *(
            item
            for area in (MAIL, BATCHES)
            for shard in shards(root / area)
            for item in _children(shard, JOB_NAME.fullmatch)
        ),
    ):
        sweeper.sweep_half_written(folder)
    return SweepReport(tuple(sweeper.job_ids), sweeper.sources, sweeper.unfinished, tuple(sweeper.unended)), reached


@dataclass
class _Sweeper:
    root: Path
    ages: RetentionAges
    job_ids: list[str] = field(default_factory=list)
    unended: list[str] = field(default_factory=list)
    sources: int = 0
    unfinished: int = 0

    def sweep_shards(self, after: str) -> str:
        buried: dict[str, list[str]] = {}
        for job_id in jobs(self.root / UPLOADS / REMOVED):
            buried.setdefault(job_id[:SHARD_DIGITS], []).append(job_id)
        names = sorted({*_names(self.root / UPLOADS, SHARD_NAME), *_names(self.root / PROCESSED, SHARD_NAME), *buried})
        start, looked_at = bisect_right(names, after), 0
        for name in (*names[start:], *names[:start]):
            looked_at += self.sweep_shard(name, buried.get(name, ()))
            after = name
            if looked_at >= MOST_JOBS:
                break
        return after

    def sweep_shard(self, name: str, buried: Sequence[str]) -> int:
        """Sweeps the jobs of one shard, and the tombstones of those that were removed. Returns how many there are."""
        uploads, ends = jobs(self.root / UPLOADS / name), jobs(self.root / PROCESSED / name)
        for job_id in uploads:
            self.sweep_job(job_id)
        for job_id in ends:
            self.sweep_leftover(job_id)
        for job_id in buried:
            self.sweep_tombstone(job_id)
        return max(len(uploads), len(ends)) + len(buried)

    def sweep_job(self, job_id: str) -> None:
        ended = _age_seconds(f"{self.root}/{outcome_key(job_id)}")
        if ended is None:
            accepted = _age_seconds(f"{self.root}/{record_key(job_id)}")
            if accepted is None:
                self.sweep_part(job_id)
            elif accepted > self.ages.unended_seconds:
                # Redis may still have it in its queue.
                removal.remove_job(self.root, job_id, self.root)
                self.job_ids.append(job_id)
            elif accepted > BEGUN_SECONDS:
                self.unended.append(job_id)
        elif ended > self.ages.ended_seconds:
            self._remove(job_id)
        elif ended > self.ages.source_seconds:
            self._remove_source(self.root / source_key(job_id))

    def sweep_part(self, job_id: str) -> None:
        """Removes what is left of a job without record and outcome: a crash during a sweep may have brought it back."""
        folder = self.root / upload_folder(job_id)
        age = _age_seconds(str(folder))
        if age is not None and age > self.ages.unended_seconds:
            self._remove_folder(folder)

    def sweep_leftover(self, job_id: str) -> None:
        """Removes results that have no upload and no tombstone, once their retention time is over."""
        ended = _age_seconds(f"{self.root}/{result_folder(job_id)}")
        abandoned = ended is not None and ended > self.ages.ended_seconds
        if abandoned and not (self.root / upload_folder(job_id)).exists():
            self._remove(job_id)

    def sweep_unfinished(self, area: Path) -> None:
        for folder in _children(area, lambda name: JOB_NAME.match(name)):
            age = _age_seconds(str(folder))
            if age is not None and (age > self.ages.unfinished_seconds or _is_abandoned(folder, age)):
                self._remove_folder(folder)
                self.unfinished += 1

    def sweep_tombstone(self, job_id: str) -> None:
        """Removes what a process left that died while it was removing the job; and the tombstone, once it is old."""
        tombstone = self.root / tombstone_key(job_id)
        removal.remove_files(self.root, job_id, self.root)
        age = _age_seconds(tombstone)
        if age is not None and age > self.ages.unended_seconds:
            tombstone.unlink(missing_ok=True)

    def sweep_half_written(self, folder: Path) -> None:
        """Removes what processes that died were writing when they created an object in this folder."""
        for file in _children(folder, BEING_WRITTEN.fullmatch):
            age = _age_seconds(file)
            if age is not None and age > self.ages.unfinished_seconds:
                objects.delete(file)
                self.unfinished += 1

    def _remove_source(self, source: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            source.unlink()
            self.sources += 1

    def _remove(self, job_id: str) -> None:
        removal.remove_files(self.root, job_id, self.root)
        self.job_ids.append(job_id)

    def _remove_folder(self, folder: Path) -> None:
        remove_folder(folder, self.root / PROCESSED / MAKING, self.root)


def _is_abandoned(folder: Path, age_seconds: float) -> bool:
    """Whether this is an upload whose process died before the upload was complete."""
    return folder.parent.name == ARRIVING and age_seconds > BEGUN_SECONDS and not is_claimed(folder / SOURCE)


def _names(folder: Path, wanted: re.Pattern[str]) -> list[str]:
    """The names in a folder that match as a whole, in their order. Makes no `Path` for each of a million jobs."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - see above
    except FileNotFoundError:
        return []
    return sorted(filter(wanted.fullmatch, names))


def _children(folder: Path, wanted: Callable[[str], object]) -> Iterator[Path]:
    try:
        children = list(folder.iterdir())
    except FileNotFoundError:
        return
    yield from (child for child in children if wanted(child.name))


def _age_seconds(path: Path | str) -> float | None:
    try:
        return time.time() - os.stat(path).st_mtime  # noqa: PTH116 - making a Path would take longer than the call
    except FileNotFoundError:
        return None
