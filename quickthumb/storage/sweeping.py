"""Removing what has been kept long enough. Only what has the names of `layout` is ever looked at."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from quickthumb.storage.claims import is_claimed
from quickthumb.storage.contract import Ages, Swept
from quickthumb.storage.durability import remove_folder
from quickthumb.storage.layout import ARRIVING, JOB_NAME, MAKING, OUTCOME, RECORD, SHARD_NAME, SOURCE, place_of

# What has just been begun is left alone: the process that takes a source in may not have claimed it yet, or not yet
# queued its job.
BEGUN_SECONDS = 3.0


def shards(area: Path) -> list[Path]:
    """The folders into which the jobs of an area are spread."""
    return sorted(_children(area, SHARD_NAME.fullmatch))


def jobs(shard: Path) -> list[str]:
    """The ids of the jobs in one of those folders."""
    return sorted(job.name for job in _children(shard, JOB_NAME.fullmatch))


def sweep(uploads: Path, processed: Path, ages: Ages) -> Swept:
    """Removes jobs, sources and unfinished folders that are older than `ages` allow."""
    sweeper = _Sweeper(uploads, processed, ages)
    for shard in shards(uploads):
        for job_id in jobs(shard):
            sweeper.sweep_job(job_id)
    for shard in shards(processed):
        for job_id in jobs(shard):
            sweeper.sweep_leftover(job_id)
    for area in (uploads / ARRIVING, processed / MAKING):
        sweeper.sweep_unfinished(area)
    return Swept(tuple(sweeper.job_ids), sweeper.sources, sweeper.unfinished, tuple(sweeper.unended))


@dataclass
class _Sweeper:
    uploads: Path
    processed: Path
    ages: Ages
    job_ids: list[str] = field(default_factory=list)
    unended: list[str] = field(default_factory=list)
    sources: int = 0
    unfinished: int = 0

    def sweep_job(self, job_id: str) -> None:
        uploaded = place_of(self.uploads, job_id)
        ended = _age_seconds(place_of(self.processed, job_id) / OUTCOME)
        if ended is None:
            accepted = _age_seconds(uploaded / RECORD)
            if accepted is not None and accepted > self.ages.unended_seconds:
                self._remove(job_id)
            elif accepted is not None and accepted > BEGUN_SECONDS:
                self.unended.append(job_id)
        elif ended > self.ages.ended_seconds:
            self._remove(job_id)
        elif ended > self.ages.source_seconds and (uploaded / SOURCE).exists():
            (uploaded / SOURCE).unlink(missing_ok=True)
            self.sources += 1

    def sweep_leftover(self, job_id: str) -> None:
        """Results whose upload is gone: the process that removed the job ended in the middle."""
        ended = _age_seconds(place_of(self.processed, job_id))
        abandoned = ended is not None and ended > self.ages.unfinished_seconds
        if abandoned and not place_of(self.uploads, job_id).exists():
            self._remove(job_id)

    def sweep_unfinished(self, area: Path) -> None:
        for folder in _children(area, lambda name: JOB_NAME.match(name)):
            age = _age_seconds(folder)
            if age is not None and (age > self.ages.unfinished_seconds or _is_abandoned(folder, age)):
                remove_folder(folder, self.processed / MAKING)
                self.unfinished += 1

    def _remove(self, job_id: str) -> None:
        for area in (self.uploads, self.processed):
            remove_folder(place_of(area, job_id), self.processed / MAKING)
        self.job_ids.append(job_id)


def _is_abandoned(folder: Path, age_seconds: float) -> bool:
    """Whether it is a source on its way in, and the process that took it in has died."""
    return folder.parent.name == ARRIVING and age_seconds > BEGUN_SECONDS and not is_claimed(folder / SOURCE)


def _children(folder: Path, wanted: Callable[[str], object]) -> Iterator[Path]:
    try:
        children = list(folder.iterdir())
    except FileNotFoundError:
        return
    yield from (child for child in children if wanted(child.name))


def _age_seconds(path: Path) -> float | None:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return None
