"""The blocks of a GIF: where its frames are and how they are shown, without decoding any (GIF89a specification)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from quickthumb.model.errors import BrokenImage

EXTENSION = 0x21
FRAME = 0x2C
TRAILER = 0x3B
GRAPHIC_CONTROL = 0xF9

KEEP, CLEAR, RESTORE = 1, 2, 3
# What follows a frame, by the numbers in files: some encoders count from 0, so browsers take 4 for 3.
_DISPOSALS = {CLEAR: CLEAR, RESTORE: RESTORE, 4: RESTORE}


@dataclass(frozen=True, slots=True)
class Control:
    """How a frame is shown: `transparent` is an index of its palette, `disposal` what is done to its box afterwards."""

    transparent: int | None = None
    disposal: int = KEEP
    milliseconds: int = 0


@dataclass(frozen=True, slots=True)
class GifFrame:
    """A frame: its box on the screen, its palette (three bytes for each color; empty if it has none), and the offset
    of its codes, which begin with the size of the first of them."""

    left: int
    top: int
    width: int
    height: int
    interlaced: bool
    colors: bytes
    codes: int
    control: Control

    def covers(self, box: tuple[int, int, int, int]) -> bool:
        """Whether every pixel of the box is drawn, and none of them transparent."""
        left, top, right, bottom = box
        inside = self.left <= left and self.top <= top
        inside = inside and self.left + self.width >= right and self.top + self.height >= bottom
        return inside and self.control.transparent is None

    @property
    def box(self) -> tuple[int, int, int, int]:
        return (self.left, self.top, self.left + self.width, self.top + self.height)


def table_bytes(flags: int) -> int:
    """The length of the palette that those flags of a screen or a frame announce."""
    return 3 * 2 ** ((flags & 0b111) + 1) if flags & 0b1000_0000 else 0


def numbers(fields: bytes) -> list[int]:
    """The 16-bit numbers in those bytes."""
    return [int.from_bytes(fields[start : start + 2], "little") for start in range(0, len(fields), 2)]


def read_frames(source: Path, stop: int) -> list[GifFrame]:
    """The first frames of a file, at most `stop`.

    Accepts a missing trailer, as browsers do. Raises BrokenImage if the file ends within a block.
    """
    with source.open("rb") as file:
        return list(islice(_frames(file), stop))


def count_frames(source: Path, stop: int) -> int:
    """The number of frames, or `stop` if there are at least that many. Raises what `read_frames` raises."""
    with source.open("rb") as file:
        return sum(1 for _ in islice(_frames(file), stop))


def _frames(file: BinaryIO) -> Iterator[GifFrame]:
    colors = _read(file, table_bytes(_read(file, 13)[10]))
    control = Control()
    while (kind := file.read(1)) not in (b"", bytes([TRAILER])):
        if kind[0] == EXTENSION:
            control = _extension(file) or control
        elif kind[0] == FRAME:
            frame = _frame(file, colors, control)
            _read(file, 1)
            _skip_blocks(file)
            yield frame
            control = Control()


def _frame(file: BinaryIO, colors: bytes, control: Control) -> GifFrame:
    fields = _read(file, 9)
    colors = _read(file, table_bytes(fields[8])) or colors
    left, top, width, height = numbers(fields[:8])
    return GifFrame(left, top, width, height, bool(fields[8] & 0b100_0000), colors, file.tell(), control)


def _extension(file: BinaryIO) -> Control | None:
    """Skips an extension; returns what it says if it tells how the next frame is shown."""
    label = _read(file, 1)[0]
    block = _read(file, _read(file, 1)[0])
    if block:
        _skip_blocks(file)
    if label != GRAPHIC_CONTROL or len(block) < 4:
        return None
    transparent = block[3] if block[0] & 1 else None
    return Control(transparent, _DISPOSALS.get(block[0] >> 2 & 0b111, KEEP), 10 * numbers(block[1:3])[0])


def _skip_blocks(file: BinaryIO) -> None:
    while size := _read(file, 1)[0]:
        _read(file, size)


def _read(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise BrokenImage("The image is damaged: the GIF ends too early.")
    return data
