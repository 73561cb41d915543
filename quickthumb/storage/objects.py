"""Blobs as files: created once, found, read in blocks, listed and deleted. Everything blocks: call it in threads."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from quickthumb.storage.contract import BATCH, Blob
from quickthumb.storage.durability import NO_LINK, locked, make_folder, sync, write_file

# Large enough that passing a block between threads costs little compared to reading it.
BLOCK_BYTES = 128 * 1024
# `delete` may remove an empty folder just when `create` is about to write a file there; `create` then tries again.
CREATING_TRIES = 3


def create(path: Path, data: bytes, top: Path | None = None) -> bool:
    """Writes a new file and syncs it; returns False if the file exists already. Does not create the folder `top`."""
    failure = FileNotFoundError()
    for _ in range(CREATING_TRIES):
        try:
            return _create(path, data, top)
        except FileNotFoundError as error:
            failure = error
    raise failure


def _create(path: Path, data: bytes, top: Path | None) -> bool:
    make_folder(path.parent, top)
    written = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        write_file(written, data)
        created = _link(written, path)
    finally:
        written.unlink(missing_ok=True)
    # Even if the file existed already: its creator may have died before syncing the folder.
    sync(path.parent)
    return created


def _link(written: Path, path: Path) -> bool:
    try:
        os.link(written, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        return _rename(written, path)
    return True


def _rename(written: Path, path: Path) -> bool:
    """What `_link` does, on a file system without hard links."""
    with locked(path.parent):
        if path.exists():
            return False
        written.rename(path)
    return True


def read(path: Path) -> bytes | None:
    """The content of a file; None if it does not exist."""
    try:
        # Every attempt reads two files at least: without a buffer, each takes two system calls less.
        with path.open("rb", buffering=0) as file:
            return file.readall()
    except FileNotFoundError:
        return None


def delete(path: Path) -> None:
    """Deletes a file if it exists, and its folder if that is then empty. The file does not come back after a crash."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    with contextlib.suppress(FileNotFoundError):
        sync(path.parent)
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def find(root: Path, key: str) -> Blob | None:
    """The blob under this key; None if there is no such file."""
    try:
        status = os.stat(f"{root}/{key}")  # noqa: PTH116 - making a Path would take longer than the call
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _blob(key, status) if stat.S_ISREG(status.st_mode) else None


def batches(root: Path, prefix: str) -> Iterator[list[Blob]]:
    """Every blob below a folder, BATCH at a time."""
    batch: list[Blob] = []
    for entry in _files(root / prefix):
        with contextlib.suppress(FileNotFoundError):
            batch.append(_blob(Path(entry.path).relative_to(root).as_posix(), entry.stat()))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _files(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """Every file below a folder. Skips dotted names, which do not count as stored."""
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.is_file():
            yield entry


def _blob(key: str, status: os.stat_result) -> Blob:
    return Blob(key, status.st_size, _version(status), datetime.fromtimestamp(status.st_mtime, UTC))


def _version(status: os.stat_result) -> str:
    # File systems update their clock every few milliseconds; no source or result is replaced faster than that.
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


class Reading:
    """Reads a part of a blob's file, once."""

    def __init__(self, root: Path, blob: Blob, start: int, end: int) -> None:
        self._path = root / blob.key
        self._version = blob.version
        self._start = start
        self._file: BinaryIO | None = None
        self.left_bytes = end - start

    def next_block(self) -> bytes | None:
        """The next bytes, at least one; None if the blob is gone. Closes the file after the last block."""
        if self._file is None:
            self._file = self._open()
        block = self._file.read(min(BLOCK_BYTES, self.left_bytes)) if self._file else b""
        self.left_bytes -= len(block)
        if not self.left_bytes:
            self.close()
        return block or None

    def close(self) -> None:
        """Closes the file, even before the last block. Call it only while no thread is reading."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> BinaryIO | None:
        try:
            file = self._path.open("rb", buffering=0)
        except FileNotFoundError:
            return None
        if _version(os.fstat(file.fileno())) != self._version:
            file.close()
            return None
        file.seek(self._start)
        return file
