"""Reads what is stored of jobs, with a few system calls each: a rebuild of Redis does this for every job."""

import os
from collections.abc import Sequence
from pathlib import Path

from quickthumb.storage import objects
from quickthumb.storage.contract import Kept, Recorded
from quickthumb.storage.identity import StoreFile
from quickthumb.storage.layout import change_key, outcome_key, record_key, source_key

# Records and outcomes have a few hundred bytes; longer ones take further reads.
READ_BYTES = 16 * 1024


def look_up(root: Path, store: StoreFile, job_id: str) -> Kept:
    """The job's record, source and outcome. A part is missing only if this is the right store."""
    kept = Kept(
        _read(f"{root}/{record_key(job_id)}"),
        objects.find(root, source_key(job_id)),
        _read(f"{root}/{outcome_key(job_id)}"),
    )
    if kept.record is None or kept.source is None:
        store.check()
    return kept


def records(root: Path, store: StoreFile, job_ids: Sequence[str]) -> list[Recorded]:
    """The record, and the outcome or the last change, of each of the jobs."""
    found = [_recorded(root, job_id) for job_id in job_ids]
    if any(job.record is None for job in found):
        store.check()
    return found


def _recorded(root: Path, job_id: str) -> Recorded:
    record, outcome = _read(f"{root}/{record_key(job_id)}"), _read(f"{root}/{outcome_key(job_id)}")
    change, number = None, 1
    while outcome is None and (later := _read(f"{root}/{change_key(job_id, number)}")) is not None:
        change, number = later, number + 1
    return Recorded(record, outcome, change)


def _read(path: str) -> bytes | None:
    """What `objects.read` does, without a file object: that would take half the time of a look-up."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        blocks = [os.read(descriptor, READ_BYTES)]
        while len(blocks[-1]) == READ_BYTES:
            blocks.append(os.read(descriptor, READ_BYTES))
    finally:
        os.close(descriptor)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)
