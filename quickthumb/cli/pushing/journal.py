"""What became of each image, in a file beside the results, so that a later run goes on where this one ended.

The file has one JSON object per line. Each line is appended with one write, so whoever kills the process at most cuts
the last line, and that one is ignored.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from quickthumb.cli.command import UserMistake
from quickthumb.cli.pushing.folder import Photo

FILE = ".quickthumb-push.jsonl"
VERSION = 1
# The addresses of results let anyone read them.
PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Entry:
    """How far an image got: `accepted`, `done` or `failed`.

    `path`, `bytes` and `mtime_ns` tell the image, and `order` is a digest of the order. `files` are the results with
    their sizes in bytes, by their paths below the folder of results.
    """

    path: str
    bytes: int
    mtime_ns: int
    order: str
    status: str
    server: str = ""
    job: str | None = None
    files: Mapping[str, int] = field(default_factory=dict)
    code: str | None = None
    reason: str | None = None


class Journal:
    """The entries of one folder of results, for one order to one server."""

    def __init__(self, out: Path, server: str, order: Sequence[tuple[str, str]]) -> None:
        """Reads the entries. Raises OSError, and UserMistake if a later release has written them."""
        self._out = out
        self._path = out / FILE
        self._server = server
        self._order = _digest(json.dumps(sorted(order)))
        self._salt = ""
        self._entries: dict[str, dict[str, Entry]] = {}  # by path and order
        self._file = -1
        whole = self._read()
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE)
        if not whole:
            os.write(self._file, b"\n")
        if not self._salt:
            self._salt = secrets.token_hex(16)
            self._append({"version": VERSION, "salt": self._salt})
            os.fsync(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._file)

    def entry(self, photo: Photo) -> Entry | None:
        """How far the image got in this or an earlier run; None if it has changed since, or is new."""
        entry = self._entries.get(photo.name, {}).get(self._order)
        if entry is None or (entry.bytes, entry.mtime_ns) != (photo.bytes, photo.mtime_ns):
            return None
        return entry

    def is_done(self, entry: Entry) -> bool:
        """Whether the results are all there, in their sizes."""
        return entry.status == "done" and all(self._size(name) == size for name, size in entry.files.items())

    def job_of(self, entry: Entry) -> str | None:
        """The image's job on this server."""
        return entry.job if entry.server == self._server else None

    def idempotency_key(self, photo: Photo) -> str:
        """The key of the first upload of this image, the same in a run after a crash."""
        return _digest(f"{self._salt} {self._order} {photo.bytes} {photo.mtime_ns} {photo.name}")

    def note(self, photo: Photo, status: str, **facts: Any) -> Entry:
        """Writes how far the image got. Raises OSError."""
        entry = Entry(photo.name, photo.bytes, photo.mtime_ns, self._order, status, self._server, **facts)
        self._append({name: value for name, value in asdict(entry).items() if value not in (None, "", {})})
        self._keep(entry)
        return entry

    def _read(self) -> bool:
        """Reads the file, and returns whether its last line is whole."""
        try:
            written = self._path.read_bytes()
        except FileNotFoundError:
            return True
        for line in written.splitlines():
            self._take(line)
        return not written or written.endswith(b"\n")

    def _take(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            if "salt" in said:
                self._check(int(said["version"]))
                self._salt = str(said["salt"])
            else:
                self._keep(Entry(**said))
        except (ValueError, TypeError, KeyError):
            return  # cut by a crash: what it told is done again

    def _check(self, version: int) -> None:
        if version > VERSION:
            raise UserMistake(f"{self._path} was written by a later release; use that, or choose another --out.")

    def _keep(self, entry: Entry) -> None:
        # Results may have replaced files that another order made.
        others = self._entries.get(entry.path, {}).items()
        kept = {order: other for order, other in others if not other.files.keys() & entry.files.keys()}
        self._entries[entry.path] = kept | {entry.order: entry}

    def _append(self, said: Mapping[str, Any]) -> None:
        os.write(self._file, json.dumps(said, separators=(",", ":")).encode() + b"\n")

    def _size(self, name: str) -> int:
        try:
            return (self._out / name).stat().st_size
        except OSError:
            return -1


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
