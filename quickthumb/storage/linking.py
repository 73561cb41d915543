"""Results that several jobs share: hard links, or copies where the file system has none."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from quickthumb.storage.durability import NO_LINK


def link_results(place: Path, filenames: Sequence[str], workspace: Path) -> bool:
    """Puts the files of a job's folder into the workspace. Returns False if one of them does not exist.

    Unless it returns True, it leaves none there: a file that somebody else has, too, must not be written to.
    """
    linked: list[Path] = []
    try:
        for name in filenames:
            linked.append(workspace / name)
            _link_or_copy(place / name, workspace / name)
    except BaseException as error:
        for file in linked:
            file.unlink(missing_ok=True)
        if isinstance(error, FileNotFoundError):
            return False
        raise
    return True


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        shutil.copyfile(source, target)
