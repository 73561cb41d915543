"""Telling a file that is still being written from one whose writer has died: the kernel's lock goes with the process.

Where there are no such locks, as on Windows and some network file systems, a file counts as being written.
"""

import contextlib
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]


def claim(file: BinaryIO) -> None:
    """Shows that this process writes the file, until it closes it or ends."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_claimed(path: Path) -> bool:
    """Whether some process may still write the file; nobody writes a file that is not there."""
    if fcntl is None:
        return True
    try:
        with path.open("rb+") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
