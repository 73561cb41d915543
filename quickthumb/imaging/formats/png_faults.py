"""Finds what is wrong in a PNG beside its pixels, and hides it from the decoder.

Only the critical chunks are needed to show a picture. The others, the ancillary ones, hold colors, transparency, texts
and times. Pillow refuses a file for many faults in them: a wrong checksum, a text that unfolds to a megabyte, a length
that cannot be. libpng, and with it the browsers, ignores such a chunk with a warning, and so does this module: what it
hides, and in which order and number chunks may come, follows libpng (pngrutil.c).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from quickthumb.imaging.formats.png_animation import ANIMATION, Animation
from quickthumb.imaging.formats.png_chunks import CHECKSUM_BYTES, END, Chunk, read_chunks
from quickthumb.imaging.formats.splice import Parts

# What all texts of a file together, or its color profile, may unfold to.
MOST_TEXT_BYTES = 16 * 1024 * 1024
BLOCK_BYTES = 64 * 1024

TEXTS = (b"tEXt", b"zTXt", b"iTXt")
COLORS = (b"cICP", b"cHRM", b"gAMA", b"iCCP", b"sRGB", b"sBIT", b"mDCV", b"cLLI")
# Chunks that come once, and those that must come before the pixels (PNG, third edition, table 7).
ONLY_ONCE = (*COLORS, b"tRNS", b"bKGD", b"hIST", b"pHYs", b"tIME", b"eXIf")
BEFORE_PIXELS = (*COLORS, b"tRNS", b"bKGD", b"hIST", b"pHYs", b"sPLT")
LENGTHS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9, b"cICP": 4}
KEY_BYTES = {0: 2, 2: 6}
PALETTE = 3

TOO_MUCH_TEXT = "The texts of the PNG are too large, and some were left out."
TOO_LARGE_PROFILE = "The color profile is too large and was ignored."
NO_END = "The PNG ends too early: its end marker is missing."
DAMAGED_COLOR = "The color data of the PNG is damaged and was ignored."
STILL = "The animation is damaged; only the picture for viewers without animation was used."
_DAMAGED = {
    b"iCCP": "The color profile is damaged and was ignored.",
    b"eXIf": "The EXIF data is damaged and was left out.",
    b"tRNS": "The transparency of the PNG is damaged and was ignored.",
    **dict.fromkeys(TEXTS, "A text of the PNG is damaged and was left out."),
}


@dataclass(slots=True)
class Faults:
    """What the decoder must not see of a file, and the sentences that say so in receipts; what is wrong with its
    pixels."""

    hidden: list[Chunk] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    pixels: str = ""
    end: int | None = None  # the offset from which on nothing is to be seen; None: the end of the file

    def parts(self, file_bytes: int) -> Parts:
        """The parts of a file of that length that the decoder may see."""
        parts, start = [], 0
        for chunk in self.hidden:
            parts.append((start, chunk.start - start))
            start = chunk.end
        parts.append((start, (file_bytes if self.end is None else self.end) - start))
        return [part for part in parts if part[1] > 0]


def find_faults(file: BinaryIO, file_bytes: int, with_pixels: bool) -> Faults:
    """Looks at every chunk of an open, unbuffered file; at those of the pixels only `with_pixels`.

    Raises TooManyParts for too many chunks, and BrokenImage for a second header. Tells of pixels with a wrong checksum,
    which Pillow does not look at. Other faults of critical chunks are left to the decoder. Reads each chunk once, and
    unfolds no more than MOST_TEXT_BYTES of texts and as much of one profile.
    """
    survey = _Survey(file, file_bytes, with_pixels)
    for chunk in read_chunks(file):
        survey.take(chunk)
    return survey.done()


class _Survey:
    """Takes the chunks of one file in their order."""

    def __init__(self, file: BinaryIO, file_bytes: int, with_pixels: bool) -> None:
        self._file = file
        self._with_pixels = with_pixels
        self._file_bytes = file_bytes
        self._faults = Faults()
        self._animation = Animation()
        self._names: set[bytes] = set()
        self._color_type = -1
        self._palette_colors = 0
        self._text_bytes = 0
        self._end = 0

    def take(self, chunk: Chunk) -> None:
        if chunk.end > self._file_bytes:
            self._take_cut(chunk)
        elif chunk.name == b"IDAT":
            self._animation.lacks_pixels = False
            if self._with_pixels and not self._is_intact(chunk):
                self._faults.pixels = "the checksum of its pixels is wrong"
        elif chunk.name == b"IHDR":
            self._take_header(self._content(chunk))
        elif chunk.name == b"PLTE":
            self._palette_colors = chunk.length // 3
        elif chunk.name in ANIMATION:
            self._animation.take(chunk, self._file, self._is_intact)
        elif chunk.is_ancillary and (fault := self._fault(chunk)):
            self._hide(chunk, fault)
        self._names.add(chunk.name)
        self._end = min(chunk.end, self._file_bytes)

    def done(self) -> Faults:
        faults, is_whole = self._faults, END in self._names
        if not is_whole:
            faults.warnings.append(NO_END)
            if b"IDAT" in self._names and self._end < self._file_bytes:
                faults.end = self._end
        if self._animation.is_damaged(is_whole):
            faults.warnings.append(STILL)
            faults.hidden = sorted(faults.hidden + self._animation.chunks, key=lambda chunk: chunk.start)
        return faults

    def _take_header(self, content: bytes) -> None:
        if len(content) >= 13:
            self._color_type = content[9]
            self._animation.size = (int.from_bytes(content[:4], "big"), int.from_bytes(content[4:8], "big"))

    def _take_cut(self, chunk: Chunk) -> None:
        """A chunk that the end of the file cuts off: pixels are left to the decoder, others are not seen. All pixels
        may be there before a last chunk of them of which there is only the head: at that the decoder would fail."""
        if b"IDAT" not in self._names:
            return
        if chunk.name == b"IDAT" and chunk.content_start >= self._file_bytes:
            self._faults.hidden.append(chunk)
        elif chunk.is_ancillary and chunk.name not in ANIMATION:
            self._hide(chunk, self._damage(chunk))

    def _hide(self, chunk: Chunk, warning: str) -> None:
        self._faults.hidden.append(chunk)
        told_by_color = chunk.name == b"cICP" and warning == DAMAGED_COLOR  # as for every format with code points
        if not told_by_color and warning not in self._faults.warnings:
            self._faults.warnings.append(warning)

    def _fault(self, chunk: Chunk) -> str:
        """What is wrong with an ancillary chunk, in words for the receipt; empty if nothing is."""
        name = chunk.name.decode()
        if chunk.name in ONLY_ONCE and chunk.name in self._names:
            return f"The PNG has several {name} chunks; those after the first were ignored."
        if chunk.name in BEFORE_PIXELS and b"IDAT" in self._names:
            return f"The {name} chunk of the PNG comes too late and was ignored."
        if chunk.name in TEXTS and self._text_bytes + chunk.length > MOST_TEXT_BYTES:
            return TOO_MUCH_TEXT
        if not self._is_intact(chunk) or not self._is_possible(chunk):
            return self._damage(chunk)
        if chunk.name in TEXTS:
            return self._fault_of_text(chunk)
        return self._fault_of_profile(chunk) if chunk.name == b"iCCP" else ""

    def _damage(self, chunk: Chunk) -> str:
        if chunk.name in COLORS and chunk.name != b"iCCP":
            return DAMAGED_COLOR
        return _DAMAGED.get(chunk.name, "Some metadata of the PNG is damaged and was left out.")

    def _is_intact(self, chunk: Chunk) -> bool:
        """Whether the checksum is right. Reads no more than a block at a time."""
        self._file.seek(chunk.content_start)
        checksum, left = zlib.crc32(chunk.name), chunk.length
        while left:
            block = self._file.read(min(left, BLOCK_BYTES))
            if not block:
                return False
            checksum, left = zlib.crc32(block, checksum), left - len(block)
        return checksum == int.from_bytes(self._file.read(CHECKSUM_BYTES), "big")

    def _is_possible(self, chunk: Chunk) -> bool:
        if chunk.name == b"tRNS":
            if self._color_type == PALETTE:
                return b"PLTE" in self._names and 0 < chunk.length <= self._palette_colors
            return chunk.length == KEY_BYTES.get(self._color_type)
        return chunk.length == LENGTHS.get(chunk.name, chunk.length)

    def _content(self, chunk: Chunk) -> bytes:
        self._file.seek(chunk.content_start)
        return self._file.read(chunk.length)

    def _fault_of_profile(self, chunk: Chunk) -> str:
        if chunk.length > MOST_TEXT_BYTES:
            return TOO_LARGE_PROFILE
        unfolded, is_sound = _unfold(_packed_behind_name(self._content(chunk)), MOST_TEXT_BYTES)
        if unfolded > MOST_TEXT_BYTES:
            return TOO_LARGE_PROFILE
        return "" if is_sound else self._damage(chunk)

    def _fault_of_text(self, chunk: Chunk) -> str:
        """Counts what a text unfolds to, sound or not: that is work, which damaged texts must not repeat."""
        find = _PACKED_TEXTS.get(chunk.name)
        packed = find(self._content(chunk)) if find else None
        left = MOST_TEXT_BYTES - self._text_bytes
        unfolded, is_sound = (chunk.length, True) if packed is None else _unfold(packed, left)
        self._text_bytes += unfolded
        if unfolded > left:
            return TOO_MUCH_TEXT
        return "" if is_sound else self._damage(chunk)


def _packed_behind_name(content: bytes) -> bytes:
    """The packed bytes of an iCCP or a zTXt, behind its name, a zero, and the method, of which there is one."""
    _, _, rest = content.partition(b"\0")
    return rest[1:] if rest[:1] == b"\0" else b""


def _packed_international(content: bytes) -> bytes | None:
    """The packed bytes of an iTXt; None if it is not packed."""
    _, _, rest = content.partition(b"\0")
    if rest[:1] in (b"", b"\0"):
        return None
    return rest[2:].split(b"\0", 2)[-1] if rest[1:2] == b"\0" and rest[2:].count(b"\0") >= 2 else b""


_PACKED_TEXTS: dict[bytes, Callable[[bytes], bytes | None]] = {
    b"zTXt": _packed_behind_name,
    b"iTXt": _packed_international,
}


def _unfold(packed: bytes, most: int) -> tuple[int, bool]:
    """How many bytes a block unfolds to, `most` + 1 for all that are more, and whether it is sound to its end."""
    unpacker, length = zlib.decompressobj(), 0
    try:
        for start in range(0, len(packed), BLOCK_BYTES):
            left = packed[start : start + BLOCK_BYTES]
            while left and length <= most and not unpacker.eof:
                length += len(unpacker.decompress(left, min(BLOCK_BYTES, most + 1 - length)))
                left = unpacker.unconsumed_tail
            if length > most or unpacker.eof:
                break
    except zlib.error:
        return length, False
    return length, unpacker.eof
