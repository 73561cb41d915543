"""Writes the files of one rendering's results: no more bytes than a job may make, and none that would fill the disk."""

import errno
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import DEFAULT_BUFFER_SIZE
from pathlib import Path
from typing import BinaryIO

from quickthumb.model.errors import ResultsTooLarge
from quickthumb.model.limits import Limits

# What the largest results leave free, in multiples of what the smallest leave. Uploads leave twice as much as those, so
# a job that takes what it can get stops neither uploads nor small jobs.
LARGEST_LEAVE = 3
# How much of an encoded file is in Python's memory at once. Less is asked for of a small one: Python clears and returns
# what it takes for a block, however little is read into it.
COPIED_BYTES = 1024 * 1024


def room_for(total_bytes: int, spare_bytes: int) -> int:
    """How much of the disk must be free, in bytes, to write results that take `total_bytes`. The more they take, the
    more they leave to others: from `spare_bytes` to three times as much."""
    return total_bytes + spare_bytes + min(total_bytes, (LARGEST_LEAVE - 1) * spare_bytes)


class NoRoom(OSError):
    """The results do not fit on the disk. Those that were encoded so far take `needed_bytes`."""

    def __init__(self, needed_bytes: int, folder: Path | None = None) -> None:
        place = None if folder is None else str(folder)
        super().__init__(errno.ENOSPC, f"no room for {needed_bytes} bytes of results, because of MIN_FREE_BYTES", place)
        self.needed_bytes = needed_bytes


class _Writing:
    """The bytes that all renderings of this process are writing. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = 0

    @contextmanager
    def counted(self, number: int) -> Iterator[int]:
        """Counts that many bytes within the block, and gives the number of those that others are writing."""
        with self._lock:
            others_bytes = self._bytes
            self._bytes += number
        try:
            yield others_bytes
        finally:
            with self._lock:
                self._bytes -= number


_writing = _Writing()


class ResultFiles:
    """The files of one rendering, in `folder`. Raises NoRoom at once if the disk has less than `spare_bytes` free."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._written_bytes = 0
        self._check_room(0)

    def write(self, output: str, filename: str, content: BinaryIO, length_bytes: int) -> None:
        """Copies the file of an output from `content`, which has `length_bytes`.

        Raises ResultsTooLarge if the files together would exceed `max_result_bytes`, NoRoom if the disk has less free
        than `room_for` asks for beside what other threads are writing, and other OSErrors as they come.
        """
        total_bytes = self._written_bytes + length_bytes
        if total_bytes > self._limits.max_result_bytes:
            raise ResultsTooLarge(
                f"With the output {output}, the results take {total_bytes} bytes; "
                f"the results of a job may take {self._limits.max_result_bytes} (MAX_RESULT_BYTES)."
            )
        with _writing.counted(length_bytes) as others_bytes:
            self._check_room(total_bytes, others_bytes)
            # Python need not find out which buffer suits the file.
            with (self._folder / filename).open("wb", DEFAULT_BUFFER_SIZE) as file:
                shutil.copyfileobj(content, file, min(length_bytes + 1, COPIED_BYTES))
        self._written_bytes = total_bytes

    def _check_room(self, total_bytes: int, others_bytes: int = 0) -> None:
        spare_bytes = self._limits.spare_bytes
        wanted_bytes = room_for(total_bytes, spare_bytes) - self._written_bytes + others_bytes
        if spare_bytes and shutil.disk_usage(self._folder).free < wanted_bytes:
            raise NoRoom(total_bytes, self._folder)
