"""The retention sweep: removes what has outlived its retention time. It touches only names that `layout` makes."""

import contextlib
import math
import os
import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quickthumb.model.retention import Retention, seconds_in
from quickthumb.storage import objects, removal
from quickthumb.storage.contract import BATCH, RetentionAges, SweepReport
from quickthumb.storage.durability import is_claimed, remove_folder
from quickthumb.storage.layout import (
    ARRIVING,
    BATCHES,
    BEING_WRITTEN,
    HOUR_NAME,
    JOB_NAME,
    KEYS,
    MAIL,
    MAKING,
    POLICIES,
    PROCESSED,
    REMOVED,
    SESSIONS,
    SHARD_DIGITS,
    SHARD_NAME,
    SOURCE,
    UPLOADS,
    WEBHOOKS,
    keep_key,
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
        *(root / area for area in (KEYS, WEBHOOKS, SESSIONS)),
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

    def __post_init__(self) -> None:
        # All tenants' times, for jobs and for sources.
        every = (self.ages.general, *self.ages.tenants.values())
        self.job_times = [each.job_seconds for each in every]
        self.source_times = [each.source_seconds for each in every]

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
        else:
            self.sweep_ended(job_id, ended)

    def sweep_ended(self, job_id: str, age_seconds: float) -> None:
        """Removes an ended job or its source, if the time is over for which it is kept."""
        retention = self._retention(job_id, age_seconds) if self.ages.tenants else self.ages.general
        kept_seconds = self._kept_seconds(job_id)
        if age_seconds > (retention.job_seconds if kept_seconds is None else kept_seconds):
            self._remove(job_id)
        elif age_seconds > retention.source_seconds:
            self._remove_source(self.root / source_key(job_id))

    def _retention(self, job_id: str, age_seconds: float) -> Retention:
        """That of the job's tenant, where it makes a difference at the job's age. Otherwise, the record is not read."""
        job_matters = _is_between(age_seconds, self.job_times)
        if job_matters or (_is_between(age_seconds, self.source_times) and self._has_source(job_id)):
            record = objects.read(self.root / record_key(job_id))
            return self.ages.general if record is None else self.ages.of(record)
        return self.ages.general

    def _has_source(self, job_id: str) -> bool:
        return _age_seconds(f"{self.root}/{source_key(job_id)}") is not None

    def _kept_seconds(self, job_id: str) -> float | None:
        """How long the job's order says to keep it, if it says so. What cannot be read is no reason to remove a job."""
        try:
            with open(f"{self.root}/{keep_key(job_id)}", encoding="ascii") as file:  # noqa: PTH123 - as in _age_seconds
                return seconds_in(file.read())
        except FileNotFoundError:
            return None
        except ValueError:
            return math.inf

    def sweep_part(self, job_id: str) -> None:
        """Removes what is left of a job without record and outcome: a crash during a sweep may have brought it back."""
        folder = self.root / upload_folder(job_id)
        age = _age_seconds(str(folder))
        if age is not None and age > self.ages.unended_seconds:
            self._remove_folder(folder)

    def sweep_leftover(self, job_id: str) -> None:
        """Removes results that have no upload and no tombstone, once their retention time is over."""
        ended = _age_seconds(f"{self.root}/{result_folder(job_id)}")
        if ended is None or (self.root / upload_folder(job_id)).exists():
            return
        kept_seconds = self._kept_seconds(job_id)
        if ended > (self.ages.ended_seconds if kept_seconds is None else kept_seconds):
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


def _is_between(age_seconds: float, times: Sequence[float]) -> bool:
    """Whether some of these times are over at that age, and others are not."""
    return min(times) < age_seconds <= max(times)


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
