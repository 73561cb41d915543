"""What a format is, and what its header reader looks through.

A reader asks for bytes by their place in the file and never knows whether it reads a finished file or the beginning of
one that is still arriving: the window it is given knows what to do where bytes are missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from quickthumb.model.errors import BrokenImage


class NeedMore(Exception):
    """The bytes that decide have not arrived yet."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an image says of itself: its format, its size in pixels as stored, and its orientation.

    `orientation` is EXIF's, 1 … 8; 1 where none is told, or where it had not arrived when the size had. Formats that
    tell it before the size (JPEG, TIFF) always have it.
    """

    format: str
    width: int
    height: int
    orientation: int = 1

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise BrokenImage(f"The image is damaged: its header says {self.width} × {self.height} pixels.")

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height in pixels once the picture is turned upright."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


class Window(Protocol):
    """Random access to the bytes of an image."""

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`.

        Raises NeedMore if they may still arrive and BrokenImage if they never will. `length` comes from the reader,
        not from the file, so that it is bounded.
        """

    def ends_before(self, offset: int) -> bool:
        """Whether the image is known to have no byte at `offset`."""


class Prefix:
    """A window on the bytes that have arrived; `complete` says that there will be no more."""

    def __init__(self, data: bytes | bytearray | memoryview, complete: bool) -> None:
        self._data = data
        self._complete = complete

    def at(self, offset: int, length: int) -> bytes:
        found = bytes(self._data[offset : offset + length])
        if len(found) == length:
            return found
        if self._complete:
            raise _ends_early()
        raise NeedMore

    def ends_before(self, offset: int) -> bool:
        return self._complete and offset >= len(self._data)


class Seeking:
    """A window on an open file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)

    def at(self, offset: int, length: int) -> bytes:
        # Compared first: a 64-bit offset out of a file can be more than the system lets one seek to.
        if offset + length > self._size:
            raise _ends_early()
        self._file.seek(offset)
        found = self._file.read(length)
        if len(found) < length:
            raise _ends_early()
        return found

    def ends_before(self, offset: int) -> bool:
        return offset >= self._size


def _ends_early() -> BrokenImage:
    return BrokenImage("The image is damaged: it ends before its size is told.")


if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from quickthumb.imaging.formats.row import Header, Window

Options = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an encoder's options depend on: the quality, whether to be lossless, and the pixels of one frame."""

    quality: int | None
    lossless: bool
    pixels: int


def _nothing() -> None:
    """Most formats need nothing set up."""


def _showings(loop: Any) -> int:
    return int(loop or 0)


def _same(plays: int) -> int | None:
    return plays


def _xmp(block: bytes) -> Options:
    return {"xmp": block}


def count_with_pillow(image: Image.Image, _: Path, __: int) -> int:
    """The number of frames as Pillow tells it, without a picture that is shown in place of the animation."""
    count: int = getattr(image, "n_frames", 1)
    return count - (1 if getattr(image, "default_image", False) else 0)


@dataclass(frozen=True, slots=True)
class Decoder:
    """How Pillow reads a format.

    `pillow` are the names Pillow has for it: the decoder's own first, then those of files it opens under another name.
    `set_up` changes what must be changed in Pillow once per process; it raises ImportError where `package`, which the
    decoder comes from, is not installed.
    """

    pillow: tuple[str, ...]
    package: str | None = None
    set_up: Callable[[], None] = _nothing
    # Signatures that the header reader knows and Pillow does not.
    undecodable: tuple[bytes, ...] = ()
    # Opening a file already takes memory for its pixels, so its size is checked before that.
    allocates_on_open: bool = False
    # Pillow reads the file whole and takes it apart in memory.
    reads_whole: bool = False
    # How many times the picture is in memory while it is decoded: the decoder's own copy or the frame before, the one
    # that is made of it, and one that is premultiplied or without its palette. A decoder that hands its picture over
    # as bytes has one more.
    copies: int = 3
    # Counts the frames of the opened file at that path, up to the given number. None: only the first picture is read.
    count_frames: Callable[[Image.Image, Path, int], int] | None = None
    # How often an animation is shown, by what Pillow calls `loop`; 0 is for ever.
    plays: Callable[[Any], int] = _showings
    # Decodes an opened file at about 1/draft of its size, and tells the scale it chose, across and down.
    load_at_scale: Callable[[Image.Image, int], tuple[float, float]] | None = None
    # The one color of the opened file that stands for transparent in all frames. None: each frame tells its own.
    key_color: Callable[[Image.Image], object] | None = None
    # The color space of an opened file, where Pillow leaves it to us to convert its samples; else empty.
    color_space: Callable[[Image.Image], str] | None = None
    # EXIF and text may follow the pixels, and are known only after decoding.
    late_metadata: bool = False
    # Pillow turns the picture upright by itself while loading.
    turns_upright: bool = False
    # What Pillow takes for frames are pages: only the first is used, with a warning.
    has_pages: bool = False


@dataclass(frozen=True, slots=True)
class Encoder:
    """How Pillow writes a format, and what the format can hold.

    `pillow` is Pillow's name for it; `options` are what Pillow's encoder is given; `quality` is the default, None where
    there is no such thing; `max_side` is in pixels.
    """

    pillow: str
    options: Callable[[Asked], Options]
    alpha: bool = True
    animation: bool = True
    lossless: bool = False
    quality: int | None = None
    profile: bool = True
    metadata: bool = True
    tick_milliseconds: int = 1
    max_side: int = 65_535
    # What Pillow's option `loop` is for an animation shown so many times (0: for ever); a result of None leaves the
    # option out. None in place of the function: such files always repeat for ever.
    loop: Callable[[int], int | None] | None = _same
    # What the encoder is given in place of a picture, and whether that is the only frame.
    prepare: Callable[[Image.Image, bool], Image.Image] | None = None
    # More options, by the frames of an animation.
    animation_options: Callable[[list[Image.Image]], Options] | None = None
    # The option that carries XMP.
    xmp: Callable[[bytes], Options] = _xmp


@dataclass(frozen=True, slots=True)
class Format:
    """One format: a row of the table.

    `signatures` are how a file may begin, where `?` stands for any byte. `read_header` looks through a window on the
    file, and raises NeedMore, BrokenImage or UnsupportedImage. Without an `encoder` the format is only read.
    """

    name: str
    media_type: str
    extensions: tuple[str, ...]
    signatures: tuple[bytes, ...]
    read_header: Callable[[Window], Header]
    decoder: Decoder
    encoder: Encoder | None = None

    @property
    def extension(self) -> str:
        """The usual extension of a file's name, without the dot."""
        return self.extensions[0]

    @property
    def readable(self) -> bool:
        """Whether this installation can decode the format."""
        return self.decoder.package is None or find_spec(self.decoder.package) is not None
