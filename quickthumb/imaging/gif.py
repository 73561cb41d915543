"""How many frames a GIF has, found without decoding any and no further than the limit.

Pillow counts by seeking through the whole file, which a file of a million empty frames makes slow, and takes a file
that breaks off for one that ends.
"""

from pathlib import Path
from typing import BinaryIO

from quickthumb.model.errors import BrokenImage


def count_frames(source: Path, stop: int) -> int:
    """The number of frames, or `stop` where there are at least that many (GIF89a specification, appendix B).

    A missing trailer is let pass, as browsers do. Raises BrokenImage where the file breaks off within a block.
    """
    frames = 0
    with source.open("rb") as file:
        screen = _read(file, 13)
        _skip_colors(file, screen[10])
        while frames < stop:
            kind = file.read(1)
            if kind == b",":
                _skip_colors(file, _read(file, 9)[8])
                _read(file, 1)  # the size of the first codes
                _skip_blocks(file)
                frames += 1
            elif kind == b"!":
                _read(file, 1)
                _skip_blocks(file)
            elif kind in (b";", b""):
                break
    return frames


def _skip_colors(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        _read(file, 3 << (flags & 7) + 1)


def _skip_blocks(file: BinaryIO) -> None:
    while size := _read(file, 1)[0]:
        _read(file, size)


def _read(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise BrokenImage("The GIF breaks off before its end.")
    return data
