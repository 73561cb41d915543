"""A file that is being downloaded: kept beside its place until it is whole, and then moved there."""

import contextlib
import re
import secrets
from http import HTTPStatus
from pathlib import Path
from typing import IO

from quickthumb.client.errors import DamagedDownload
from quickthumb.client.exchange import Answer

PART_PREFIX, PART_SUFFIX = ".quickthumb-", ".part"
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class PartFile:
    """The part of a file that has arrived, as a sink for one answer or, after a break, for several.

    The methods block and raise OSError. One of `finish` and `discard` ends it.
    """

    def __init__(self, place: Path, length: int | None = None) -> None:
        """`place` is where the file is to be in the end, `length` its size in bytes if that is known already."""
        self._place = place
        self._length = length
        self._etag: str | None = None
        self._file: IO[bytes] | None = None

    def headers(self) -> dict[str, str]:
        """The headers of the request for what is missing: all of it, or what comes behind the part that is here."""
        arrived = 0 if self._file is None else self._file.tell()
        if self._etag is None or arrived in (0, self._length):
            return {}
        return {"Range": f"bytes={arrived}-", "If-Range": self._etag}

    def begin(self, answer: Answer) -> None:
        file = self._file = self._file or self._opened()
        span = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        if answer.status == HTTPStatus.PARTIAL_CONTENT:
            if span is None or int(span[1]) != file.tell():
                raise DamagedDownload("The service sent another part of the file than the one asked for.")
            announced: int | None = int(span[2])
        else:
            file.seek(0)
            file.truncate()
            length = answer.headers.get("content-length")
            announced = None if length is None or "content-encoding" in answer.headers else int(length)
        self._etag = answer.headers.get("etag")
        self._length = announced if self._length is None else self._length

    def write(self, piece: bytes) -> None:
        assert self._file is not None  # noqa: S101 - `begin` comes first
        self._file.write(piece)

    def finish(self) -> None:
        """Moves the file to its place. Raises DamagedDownload if its length is not the announced one."""
        assert self._file is not None  # noqa: S101 - there was an answer
        arrived = self._file.tell()
        if self._length is not None and arrived != self._length:
            raise DamagedDownload(f"The service announced a file of {self._length} bytes, but {arrived} arrived.")
        self._file.close()
        Path(self._file.name).replace(self._place)

    def discard(self) -> None:
        """Removes what has arrived. Does nothing after `finish`."""
        if self._file is not None:
            self._file.close()
            with contextlib.suppress(OSError):
                Path(self._file.name).unlink()

    def _opened(self) -> IO[bytes]:
        return self._place.with_name(f"{PART_PREFIX}{secrets.token_hex(8)}{PART_SUFFIX}").open("xb+")
