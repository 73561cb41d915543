"""Counts the parts of an image while its bytes arrive, to refuse an image that has far more of them than it needs.

Some formats let a file make a decoder do much work with few bytes and few pixels: a JPEG can draw its picture anew a
thousand times, a PNG can come in chunks of one byte. The watch of a format, in the format's own file, counts such
parts; it decodes nothing.
"""

import re
from collections.abc import Callable, Generator
from typing import BinaryIO

from quickthumb.model.errors import TooManyParts
from quickthumb.model.limits import Limits

# What a watch waits for after the next so many bytes: the next so many, or the next that match a pattern of at most
# PATTERN_BYTES.
Wanted = tuple[int, int | re.Pattern[bytes]]
# The steps of a watch: a generator that yields what it waits for and is sent these bytes. It returns once the rest of
# the file does not matter. Some return the orientation if they have seen one, EXIF's 1 … 8.
Steps = Generator[Wanted, bytes, None]
TellingSteps = Generator[Wanted, bytes, int | None]

PATTERN_BYTES = 2
BLOCK_BYTES = 64 * 1024


class Watch:
    """Runs a watch's steps over bytes that arrive in pieces of any size.

    `is_done` says that it has seen enough, and only then `orientation` may be known: EXIF's, for formats that can store
    it behind the pixels. `bytes_to_skip` is how many of the next bytes it need not see.
    """

    def __init__(self, steps: TellingSteps) -> None:
        self._steps = steps
        self._held = b""
        first = next(steps, None)
        self.bytes_to_skip, self._wanted = first or (0, 0)
        self.is_done = first is None
        self.orientation: int | None = None

    def feed(self, data: bytes | memoryview) -> None:
        """Takes the next bytes. Raises TooManyParts and BrokenImage."""
        data = self._held + data if self._held else data
        at, self._held = 0, b""
        # Every image passes through here with all its parts, so what each step takes stands in this one loop.
        while not self.is_done:
            skipped = min(self.bytes_to_skip, len(data) - at)
            self.bytes_to_skip -= skipped
            at += skipped
            if isinstance(self._wanted, int):
                end = at + self._wanted
                if self.bytes_to_skip or end > len(data):
                    self._held = bytes(data[at:])
                    return
                found = bytes(data[at:end])
            else:
                match = self._wanted.search(data, at)
                if match is None:
                    self._held = bytes(data[max(at, len(data) - PATTERN_BYTES + 1) :])
                    return
                end, found = match.end(), match.group()
            at = end
            try:
                self.bytes_to_skip, self._wanted = self._steps.send(found)
            except StopIteration as finished:
                self.is_done, self.orientation = True, finished.value

    def skip(self) -> int:
        """Leaves out the next `bytes_to_skip` bytes, which the caller will not feed; returns how many these are."""
        skipped, self.bytes_to_skip = self.bytes_to_skip, 0
        return skipped


# Makes the steps of a format's watch, within the limits.
MakeSteps = Callable[[Limits], Steps | TellingSteps]


def check_file(file: BinaryIO, watch: Watch) -> None:
    """Runs the watch over a whole file. Raises TooManyParts and BrokenImage."""
    while not watch.is_done:
        if watch.bytes_to_skip > BLOCK_BYTES:
            file.seek(watch.skip(), 1)
        data = file.read(BLOCK_BYTES)
        if not data:
            return
        watch.feed(data)


class Allowance:
    """Counts parts that should be long: at most `most`, and one more for every `average_bytes` of their content."""

    def __init__(self, name: str, most: int, average_bytes: int) -> None:
        self._name = name
        self._left = float(most)
        self._share = 1 / average_bytes

    def take(self, content_bytes: int) -> None:
        """Counts a part. Raises TooManyParts."""
        self._left += content_bytes * self._share - 1
        if self._left < 0:
            raise TooManyParts(f"The image consists of far too many {self._name} for its size.")
