"""Which release has written the files of the embedded Redis: a release reads the files of older ones, not of newer.

The release that ran last is noted beside the files. Where that note is missing, as in folders of QuickThumb 0.1, the
beginning of the files tells.
"""

import re
from pathlib import Path

from quickthumb.devredis.binary import RedisCannotStart, Release

NOTE = "written-by"
NOTED = re.compile(r"(Redis|Valkey) (\d+)\.(\d+)\.(\d+)\s*")
# A snapshot, with which an append-only file begins: its format, then its writer's version as the first of some facts.
SNAPSHOT = re.compile(rb"(?:REDIS|VALKEY)\d+\xfa.(redis|valkey)-ver.(\d+)\.(\d+)\.(\d+)", re.DOTALL)
BEGINNING_BYTES = 64


def writer_of(folder: Path) -> Release | None:
    """The release that has written to the folder; None if there is nothing that only some releases could read.

    Raises RedisCannotStart if the folder cannot be read.
    """
    try:
        return _noted(folder / NOTE) or _of_snapshots(folder)
    except OSError as error:
        raise RedisCannotStart(f"Redis cannot use the folder {folder}: {error.strerror or error}.") from error


def note_writer(folder: Path, release: Release) -> None:
    """Notes that the release is about to write to the folder. Raises RedisCannotStart if that fails."""
    written = folder / f".{NOTE}"
    try:
        written.write_text(f"{release}\n", encoding="ascii")
        written.replace(folder / NOTE)
    except OSError as error:
        raise RedisCannotStart(f"Redis cannot use the folder {folder}: {error.strerror or error}.") from error


def _noted(note: Path) -> Release | None:
    try:
        found = NOTED.fullmatch(note.read_text(encoding="ascii", errors="replace"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _release(*found.groups()) if found else None


def _of_snapshots(folder: Path) -> Release | None:
    """The newest writer of the snapshots. A file of commands alone can be read by every release."""
    writers = [writer for file in folder.rglob("appendonly*") if file.is_file() and (writer := _of_snapshot(file))]
    return max(writers, key=lambda writer: writer.version, default=None)


def _of_snapshot(file: Path) -> Release | None:
    with file.open("rb") as opened:
        found = SNAPSHOT.match(opened.read(BEGINNING_BYTES))
    return _release(*(word.decode() for word in found.groups())) if found else None


def _release(name: str, major: str, minor: str, patch: str) -> Release:
    return Release(name.capitalize(), (int(major), int(minor), int(patch)))
