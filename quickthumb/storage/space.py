"""How much room the disk of the data folder has."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from quickthumb.storage.durability import translated


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """The bytes of a disk: all, those in use, those that this process may still use, and how many uploads leave free.
    With less, they are refused."""

    total_bytes: int
    used_bytes: int
    free_bytes: int
    reserved_bytes: int


def disk_space(folder: Path, reserved_bytes: int) -> DiskSpace:
    """The room on the disk of a folder. A system call, which may wait for a network. Raises StorageUnavailable."""
    with translated(folder):
        found = shutil.disk_usage(folder)
    return DiskSpace(found.total, found.used, found.free, reserved_bytes)
