"""Streams files as one ZIP archive, stored without compression: pictures would hardly get smaller."""

import io
import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import datetime
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from quickthumb.service.downloads import Download

# Characters that Windows does not allow in names.
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*]')
_MODE = 0o644 << 16


def name_in_zip(text: str) -> str:
    """A client's file name as one part of a path in an archive, for any system."""
    return _NOT_IN_NAMES.sub("_", text).rstrip(". ") or "image"


async def zipped(files: Iterable[tuple[str, Download]]) -> AsyncGenerator[bytes, None]:
    """The archive with these files under their names. Holds one block of one file at a time.

    Raises UnknownResult for a file that was removed; whoever reads the archive then sees that it is cut off.
    """
    output = _Output()
    with ZipFile(output, "w", ZIP_STORED) as archive:
        for name, download in files:
            with archive.open(_entry(name, download), "w") as entry:
                async with aclosing(download.read()) as blocks:
                    async for block in blocks:
                        entry.write(block)
                        yield output.taken()
    yield output.taken()


def _entry(name: str, download: Download) -> ZipInfo:
    at: datetime = download.blob.modified_at
    entry = ZipInfo(name, (max(at.year, 1980), at.month, at.day, at.hour, at.minute, at.second))
    entry.file_size = download.blob.length
    entry.external_attr = _MODE
    return entry


class _Output(io.RawIOBase):
    """What `ZipFile` has written and nobody has taken yet. As it cannot be sought in, sizes come behind the data."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(memoryview(data))  # type: ignore[arg-type]
        self._pieces.append(piece)
        return len(piece)

    def taken(self) -> bytes:
        """What was written since the last call."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data
