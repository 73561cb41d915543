"""Keeps a data folder from other users of the machine: what this process writes, and what a folder admits already.

A new data folder is its owner's alone. If the operator has opened the folder to a group, so that web and workers can be
different users, or a web server can read results, new files follow it. No file is ever for everybody.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOR_EVERYBODY = stat.S_IRWXO
FOR_THE_GROUP = stat.S_IRWXG


@contextmanager
def closed_to_others(folder: Path) -> Iterator[None]:
    """Within the block, all that this process creates, and its children create, is closed to other users.

    It sets the umask, which is the process' own: only a root may call this.
    """
    before = os.umask(mask_for(folder))
    try:
        yield
    finally:
        os.umask(before)


def mask_for(folder: Path) -> int:
    """The umask for a data folder: its group gets what it has on the folder, everybody else gets nothing."""
    return FOR_EVERYBODY | (FOR_THE_GROUP & ~_mode(folder))


def exposure(folder: Path) -> str | None:
    """One sentence if every user of the machine may enter or list the folder, with what to do about it; else None."""
    admitted = _mode(folder) & FOR_EVERYBODY
    if not admitted or os.name == "nt" or not is_within_reach(folder):
        return None
    may = "change" if admitted & stat.S_IWOTH else "read"
    return f"Every user of this machine may {may} {folder}; run `chmod o-rwx {folder}`."


def is_within_reach(path: Path) -> bool:
    """Whether every user of the machine may go through all folders above a path that exists.

    Links count as what they lead to: a link in a closed folder does not close its target.
    """
    return all(_mode(parent) & stat.S_IXOTH for parent in path.resolve().parents)


def _mode(folder: Path) -> int:
    """The permissions of the folder; none if there is no folder."""
    try:
        return stat.S_IMODE(folder.stat().st_mode)
    except OSError:
        return 0
