"""Writes the files of one rendering's results: no more bytes than a job may make, and none that would fill the disk."""

import errno
import shutil
from pathlib import Path

from quickthumb.model.errors import ResultsTooLarge
from quickthumb.model.limits import Limits


class NoRoom(OSError):
    """The results do not fit on the disk. Those that were encoded so far need `needed_bytes`, beside what must stay
    free."""

    def __init__(self, needed_bytes: int, folder: Path | None = None) -> None:
        place = None if folder is None else str(folder)
        super().__init__(errno.ENOSPC, f"the results need {needed_bytes} bytes beside MIN_FREE_BYTES", place)
        self.needed_bytes = needed_bytes


class ResultFiles:
    """The files of one rendering, in `folder`. Raises NoRoom at once if the disk has less free than must stay free."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._written_bytes = 0
        self._check_room(0)

    def write(self, output: str, filename: str, data: bytes) -> None:
        """Writes the file of an output, whole or not at all.

        Raises ResultsTooLarge if the files together would exceed `max_result_bytes`, NoRoom if the disk would have less
        than `spare_bytes` left, and other OSErrors as they come.
        """
        total_bytes = self._written_bytes + len(data)
        if total_bytes > self._limits.max_result_bytes:
            raise ResultsTooLarge(
                f"With the output {output}, the results take {total_bytes} bytes; "
                f"the results of a job may take {self._limits.max_result_bytes} (MAX_RESULT_BYTES)."
            )
        self._check_room(len(data))
        (self._folder / filename).write_bytes(data)
        self._written_bytes = total_bytes

    def _check_room(self, wanted_bytes: int) -> None:
        spare_bytes = self._limits.spare_bytes
        if spare_bytes and shutil.disk_usage(self._folder).free < wanted_bytes + spare_bytes:
            raise NoRoom(self._written_bytes + wanted_bytes, self._folder)
