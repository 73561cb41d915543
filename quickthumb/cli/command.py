"""What all commands share: their form, the error they end with, and the lock on a data folder."""

import argparse
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

LOCK_FILE = "quickthumb.lock"


class UserMistake(Exception):
    """The command cannot go on; the text is one sentence for the user that says why."""


@dataclass(frozen=True)
class Command:
    """One word after `quickthumb`: `add_options` declares what it takes, `run` does it and answers the exit code.

    `run` raises UserMistake, ConfigError or RedisCannotStart for what the user can put right.
    """

    name: str
    help: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


@contextlib.contextmanager
def lock_data_folder(data_dir: Path) -> Iterator[None]:
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
