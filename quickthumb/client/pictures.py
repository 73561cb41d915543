"""The picture to upload, and the fields that go with it."""

import contextlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from pathlib import Path, PurePath
from typing import IO, Any, cast

UNNAMED = "image"
# As many files are opened at once; a process may have 1024 open, or 256 on some systems.
MOST_OPEN = 16

# A path, the bytes themselves, or a file that is open for reading in binary mode.
ImageInput = str | PathLike[str] | bytes | IO[bytes]
Order = Mapping[str, Any] | Iterable[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Picture:
    """An image to send, and the name under which the service shows it."""

    content: Path | bytes | IO[bytes]
    filename: str

    @property
    def can_be_sent_again(self) -> bool:
        """Whether its first byte can be read a second time; not so for a pipe."""
        return isinstance(self.content, (Path, bytes)) or self.content.seekable()

    @contextlib.contextmanager
    def opened(self) -> Iterator[bytes | IO[bytes]]:
        """The image for one try. A file of ours is open meanwhile; one of the caller's stays open. Raises OSError."""
        if isinstance(self.content, bytes):
            yield self.content
        elif not isinstance(self.content, Path):
            yield self.content if self.content.seekable() else cast("IO[bytes]", _Pipe(self.content))
        else:
            with self.content.open("rb") as file:
                yield file


@contextlib.contextmanager
def opened(pictures: Sequence[Picture]) -> Iterator[list[bytes | IO[bytes]]]:
    """The images for one try, as `Picture.opened` gives them. Of many files, one at a time is open. Raises OSError."""
    are_many = len(pictures) > MOST_OPEN
    images: list[bytes | IO[bytes]] = []
    with contextlib.ExitStack() as stack:
        for one in pictures:
            if are_many and isinstance(one.content, Path):
                images.append(stack.enter_context(cast("IO[bytes]", _LateFile(one.content))))
            else:
                images.append(stack.enter_context(one.opened()))
        yield images


class _LateFile(io.RawIOBase):
    """A file that is open only while it is read, from its first byte to its last. Its length is asked before."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file: IO[bytes] | None = None
        self._is_read = False
        with path.open("rb") as file:  # one that cannot be read is to be found before anything is sent
            self._length = os.fstat(file.fileno()).st_size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Only to the start, and to the end to learn the length."""
        self._close_file()
        self._is_read = False
        return self._length if whence == os.SEEK_END else offset

    def tell(self) -> int:
        return 0

    def read(self, size: int = -1) -> bytes:
        if self._is_read:
            return b""
        self._file = self._file or self._path.open("rb")
        piece = self._file.read(size)
        if not piece:
            self._close_file()
            self._is_read = True
        return piece

    def close(self) -> None:
        self._close_file()
        super().close()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


@dataclass(frozen=True, slots=True)
class _Pipe:
    """Only the reading of a file that has no length: httpx would take a pipe for an empty file."""

    file: IO[bytes]

    def read(self, size: int = -1) -> bytes:
        return self.file.read(size)


def picture_of(image: ImageInput, filename: str | None) -> Picture:
    """The picture to send; by default it has the name of its file."""
    if isinstance(image, (bytes, bytearray, memoryview)):
        return Picture(bytes(image), _written(filename or UNNAMED))
    if isinstance(image, (str, PathLike)):
        path = Path(image)
        return Picture(path, _written(filename or path.name))
    named = getattr(image, "name", None)
    return Picture(image, _written(filename or (PurePath(named).name if isinstance(named, str) else UNNAMED)))


def fields_of(order: Order, parameters: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The order as form fields. None leaves a field out; of several texts each is a field; objects are sent as JSON."""
    pairs = order.items() if isinstance(order, Mapping) else order
    return tuple(
        (name, text) for name, value in (*pairs, *parameters.items()) if value is not None for text in _texts(value)
    )


def values_of(order: Order, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The order as the values of a JSON object. None leaves a field out; a name that comes again has a list."""
    pairs = order.items() if isinstance(order, Mapping) else order
    values: dict[str, list[Any]] = {}
    for name, value in (*pairs, *parameters.items()):
        if value is not None:
            values.setdefault(name, []).append(value.isoformat() if isinstance(value, datetime) else value)
    return {name: given[0] if len(given) == 1 else given for name, given in values.items()}


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [json.dumps(dict(value))]
    if isinstance(value, (list, tuple)):
        if any(isinstance(item, Mapping) for item in value):
            return [json.dumps([dict(item) for item in value])]
        return [text for item in value for text in _texts(item)]
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _written(filename: str) -> str:
    """The name as UTF-8 can write it: names of files may hold bytes that are no text."""
    return filename.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
