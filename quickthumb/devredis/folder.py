"""Folders that nobody else on this machine may look into."""

import os
import stat
from pathlib import Path

from quickthumb.devredis.errors import RedisCannotStart

PRIVATE = 0o700


def make_private(folder: Path) -> None:
    """Make sure that `folder` exists, is a real folder, is ours and is closed to everybody else.

    Whoever can reach the socket in it can do anything to the queue; and under the shared temporary folder somebody
    else may have put a folder or a link of that name there first. Raises RedisCannotStart if so.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=PRIVATE, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise RedisCannotStart(f"{folder} must be a folder of the user who starts QuickThumb; move it away.")
        folder.chmod(PRIVATE)
    except OSError as error:
        raise RedisCannotStart(f"{folder} cannot be used for Redis: {error.strerror or error}.") from error
