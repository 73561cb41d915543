"""Patches: what to write over a few ranges of a file while it is read, without changing its length."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage

# Reading a number or a directory's entry takes a step, which takes some microseconds.
MOST_STEPS = 250_000
STEP_BYTES = 1024
# A patch takes about 100 bytes of memory, and each is looked at for every block that is read.
MOST_PATCHES = 4096

ZERO, SPACE = b"\0", b" "


class TooInvolved(Exception):
    """The file is built in so many parts that looking through all of them would take too long."""


class Bounded:
    """A window on a file of `size` bytes that can be read only so often, and so much of it."""

    def __init__(self, window: Window, size: int) -> None:
        self._window = window
        self._left = MOST_STEPS
        self.size = size

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`. Raises BrokenImage if the file ends before, and TooInvolved."""
        self.spend(1 + length // STEP_BYTES)
        if length < 0:
            raise BrokenImage("The image is damaged: a block of its metadata has an impossible length.")
        return self._window.at(offset, length)

    def ends_before(self, offset: int) -> bool:
        """Whether the file has no byte at `offset`."""
        return offset >= self.size

    def spend(self, steps: int) -> None:
        """Counts other steps. Raises TooInvolved."""
        self._left -= steps
        if self._left < 0:
            raise TooInvolved


@dataclass(frozen=True, slots=True)
class Patch:
    """The bytes for `length` bytes of a file from `start`: one byte that is repeated, or exactly these."""

    start: int
    length: int
    fill: bytes

    @property
    def end(self) -> int:
        return self.start + self.length

    @property
    def content(self) -> bytes:
        return self.fill if len(self.fill) == self.length else self.fill * self.length


class Patches:
    """The patches of one file; where some overlap, the last one counts. `mark` is text that differs between different
    patches, and empty if there are none."""

    def __init__(self, patches: Iterable[Patch] = ()) -> None:
        """Raises TooInvolved for more than MOST_PATCHES."""
        self._patches: list[Patch] = []
        for patch in patches:
            if len(self._patches) == MOST_PATCHES:
                raise TooInvolved
            self._patches += [patch] if patch.length else []
        told = repr([(patch.start, patch.length, patch.fill) for patch in self._patches])
        self.mark = hashlib.sha256(told.encode()).hexdigest()[:12] if self._patches else ""

    def apply(self, block: bytes, start: int = 0) -> bytes:
        """The bytes of the file from `start`, patched; the same object if there is nothing to patch in them."""
        end = start + len(block)
        touching = [patch for patch in self._patches if patch.start < end and patch.end > start]
        if not touching:
            return block
        patched = bytearray(block)
        for patch in touching:
            first, last = max(start, patch.start), min(end, patch.end)
            if len(patch.fill) == patch.length:
                patched[first - start : last - start] = patch.fill[first - patch.start : last - patch.start]
            else:
                patched[first - start : last - start] = patch.fill * (last - first)
        return bytes(patched)


class Stretch:
    """A run of bytes that lies in one or several ranges of a file, each given by its offset and its length."""

    def __init__(self, window: Bounded, ranges: Sequence[tuple[int, int]]) -> None:
        self._window = window
        self._ranges = ranges
        self.length = sum(length for _, length in ranges)

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`. Raises BrokenImage if the run or the file ends before."""
        if offset < 0 or not 0 <= length <= self.length - offset:
            raise BrokenImage("The image is damaged: a block of its metadata ends too early.")
        return b"".join(self._window.at(*piece) for piece in self._pieces(offset, length))

    def patch(self, offset: int, length: int, fill: bytes) -> Iterator[Patch]:
        """Patches `length` bytes from `offset`, or as many as the run has."""
        done = 0
        for start, held in self._pieces(offset, length):
            yield Patch(start, held, fill[done : done + held] if len(fill) == length else fill)
            done += held

    def part(self, offset: int, length: int) -> "Stretch":
        """`length` bytes from `offset`, or as many as the run has."""
        return Stretch(self._window, list(self._pieces(offset, length)))

    def behind(self, offset: int) -> "Stretch":
        """All bytes from `offset`."""
        return self.part(offset, self.length - offset) if offset else self

    def spend(self, steps: int) -> None:
        """Counts steps. Raises TooInvolved."""
        self._window.spend(steps)

    def blank(self, fill: bytes = ZERO) -> Iterator[Patch]:
        """Patches the whole run."""
        return self.patch(0, self.length, fill)

    def _pieces(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """The ranges of the file that hold a part of the run."""
        for start, held in self._ranges:
            taken = min(held - offset, length)
            if taken > 0:
                yield start + offset, taken
                length -= taken
                offset = 0
            else:
                offset -= held
