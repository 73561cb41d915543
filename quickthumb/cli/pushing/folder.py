"""Which files of a folder to push, and where their results go. All names come from the local paths."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from quickthumb.client import Result
from quickthumb.imaging.header import LONGEST_SIGNATURE, recognize
from quickthumb.model.errors import UnsupportedImage

# What a result may be called on any system. Other names are replaced by a number.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_PLAIN_FORMAT = re.compile(r"[a-z0-9]{1,8}")
_EXTENSIONS = {"jpeg": "jpg"}


@dataclass(frozen=True, slots=True)
class Photo:
    """An image to push. `name` is its path below the folder, with slashes; the rest tells whether it has changed."""

    path: Path
    name: str
    bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file that is not an image and what it is instead, or a folder that cannot be read."""

    name: str
    reason: str


def found(folder: Path, out: Path, *, recursive: bool) -> Iterator[Photo | PassedOver]:
    """The files of a folder in the order of their names.

    Leaves out hidden files and folders, the folder of the results, and what is no regular file. A file that cannot be
    read counts as an image: that it fails must show.
    """
    errors: list[OSError] = []
    for place, folders, files in os.walk(folder, onerror=errors.append):
        shown = [name for name in folders if not _hidden(name) and Path(place, name).resolve() != out]
        folders[:] = sorted(shown) if recursive else []
        for name in sorted(files):
            path = Path(place, name)
            if not _hidden(name):
                yield from _looked_at(path, path.relative_to(folder).as_posix())
    for error in errors:
        name = Path(error.filename).relative_to(folder).as_posix()
        yield PassedOver(name, f"The folder cannot be read: {error.strerror}.")


def place_of(result: Result, number: int) -> str:
    """The file name of a result, the `number`th of its job. The service's words never lead to another folder."""
    name = result.name if _PLAIN_NAME.fullmatch(result.name) else f"result-{number}"
    extension = _EXTENSIONS.get(result.format, result.format)
    return f"{name}.{extension if _PLAIN_FORMAT.fullmatch(extension) else 'bin'}"


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _looked_at(path: Path, name: str) -> Iterator[Photo | PassedOver]:
    try:
        about = path.stat()
    except OSError:
        return  # a link to nothing, or a file that was removed meanwhile
    if not stat.S_ISREG(about.st_mode):
        return
    reason = _why_no_image(path)
    yield PassedOver(name, reason) if reason else Photo(path, name, about.st_size, about.st_mtime_ns)


def _why_no_image(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            start = file.read(LONGEST_SIGNATURE)
        if not start:
            return "The file is empty."
        recognize(start)
    except OSError:
        return None
    except UnsupportedImage as error:
        return error.detail
    return None
