"""What all commands share: the definition of a command, its error, the lock on a data folder, and `nohup`."""

import argparse
import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from quickthumb.model.errors import UserMistake

__all__ = ["Command", "UserMistake", "ignores_hangup", "lock_data_folder"]

LOCK_FILE = "quickthumb.lock"
PRIVATE = 0o700


@dataclass(frozen=True)
class Command:
    """One command: `add_options` declares its options, `run` runs it and returns the exit code.

    `run` raises a UserMistake for anything that the user can fix.
    """

    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def ignores_hangup() -> bool:
    """Whether whoever started this process wants it to outlive its terminal, as `nohup` does."""
    return hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


@contextlib.contextmanager
def lock_data_folder(data_dir: Path) -> Iterator[None]:
    """Create the data folder and hold its lock: only one `quickthumb up` may run on it.

    Raises UserMistake if another process holds the lock, or if the folder is not usable. The kernel releases the lock
    when its holder dies, so a crash leaves nothing to clean up.
    """
    lock = FileLock(data_dir / LOCK_FILE)
    try:
        data_dir.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserMistake(
            f"QuickThumb is already running on {data_dir}; stop it, or choose another folder with --data-dir."
        ) from None
    except OSError as error:
        raise UserMistake(f"Cannot use the data folder {data_dir}: {error.strerror or error}.") from None
    try:
        yield
    finally:
        lock.release()
