"""One `quickthumb up` for each data folder."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from quickthumb.cli.mistakes import UserMistake

LOCK_FILE = "quickthumb.lock"


@contextlib.contextmanager
def sole_user_of(data_dir: Path) -> Iterator[None]:
    """Make the data folder and hold its lock. Raises UserMistake if another holds it or the folder cannot be used.

    The system frees the lock when its holder dies, so a crash leaves nothing to clean up.
    """
    lock = FileLock(data_dir / LOCK_FILE)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserMistake(
            f"QuickThumb is already running on {data_dir}; stop that one, or choose another folder with --data-dir."
        ) from None
    except OSError as error:
        raise UserMistake(f"The data folder {data_dir} cannot be used: {error.strerror or error}.") from None
    try:
        yield
    finally:
        lock.release()
