"""Small objects as files: each is written beside its place and linked into it, so that it is seen whole, and once."""

import contextlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from quickthumb.storage.contract import Blob
from quickthumb.storage.durability import make_folder, sync, write_file


def create(path: Path, data: bytes) -> bool:
    """Writes a new file, synced; False where there is one already."""
    make_folder(path.parent)
    written = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        write_file(written, data)
        os.link(written, path)
    except FileExistsError:
        return False
    finally:
        written.unlink(missing_ok=True)
    sync(path.parent)
    return True


def delete(path: Path) -> None:
    """Removes a file, and its folder where it was the last one."""
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def folders(area: Path) -> list[Path]:
    """The folders directly below an area: what `below` is asked for one after the other."""
    try:
        return sorted(child for child in area.iterdir() if child.is_dir())
    except FileNotFoundError:
        return []


def below(folder: Path, root: Path) -> list[Blob]:
    """Every object below a folder, under its key."""
    found = []
    for path in sorted(folder.rglob("[!.]*")):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                found.append(blob_of(path, root))
    return found


def blob_of(path: Path, root: Path) -> Blob:
    """What is known of a file without reading it. Raises FileNotFoundError."""
    status = path.stat()
    version = f"{status.st_mtime_ns:x}-{status.st_size:x}"
    return Blob(
        path.relative_to(root).as_posix(), status.st_size, version, datetime.fromtimestamp(status.st_mtime, UTC)
    )
