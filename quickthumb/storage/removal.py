"""Removes jobs so that it stays certain that they were removed: a removed job leaves a tombstone.

A record that a worker does not find says nothing by itself: the worker may see another folder, or an old view of a
network file system. Only a tombstone says that the job was removed, and that Redis, if it still knows the job, or knows
it again, is to forget it.

The tombstone is the job's own record, moved aside and emptied. The move is one rename, synced before anything else is
changed, so at every moment, and after a crash of the machine too, there is either the record or the tombstone. It needs
no room on a full disk.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from quickthumb.storage.durability import make_folder, remove_folder, sync
from quickthumb.storage.layout import MAKING, PROCESSED, record_key, result_folder, tombstone_key, upload_folder


def remove_job(root: Path, job_id: str, top: Path | None = None) -> None:
    """Removes everything of a job that exists, and leaves a tombstone if the job had a record."""
    _bury(root / record_key(job_id), root / tombstone_key(job_id), top)
    remove_files(root, job_id, top)


def remove_files(root: Path, job_id: str, top: Path | None = None) -> None:
    """Removes everything of a job that exists, without a tombstone."""
    for folder in (upload_folder(job_id), result_folder(job_id)):
        remove_folder(root / folder, root / PROCESSED / MAKING, top)


def was_removed(root: Path, job_id: str) -> bool:
    """Whether the job has a tombstone."""
    try:
        # A rebuild asks for every job that has ended, and making a `Path` would take longer than the call.
        os.stat(f"{root}/{tombstone_key(job_id)}")  # noqa: PTH116
    except FileNotFoundError:
        return False
    return True


def removed_among(root: Path, job_ids: Sequence[str]) -> list[str]:
    """Those of the jobs that have a tombstone."""
    return [job_id for job_id in job_ids if was_removed(root, job_id)]


def _bury(record: Path, tombstone: Path, top: Path | None) -> None:
    if not record.exists():
        return
    make_folder(tombstone.parent, top)
    try:
        record.rename(tombstone)
        sync(tombstone.parent)
        os.truncate(tombstone, 0)
        os.utime(tombstone)
    except FileNotFoundError:
        return  # another process removes the job at the same time
