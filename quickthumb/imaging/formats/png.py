"""PNG (ISO 15948) and APNG, whose frames all lie within the size given in the first chunk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from quickthumb.imaging.formats.blocks import EXIF, RESOLUTION, TEXTS, Blocks
from quickthumb.imaging.formats.blocks import XMP as XMP_KIND
from quickthumb.imaging.formats.exif import UPRIGHT, turned
from quickthumb.imaging.formats.partial import recover_part
from quickthumb.imaging.formats.png_chunks import HEAD_BYTES, SIGNATURE, ChunkCount
from quickthumb.imaging.formats.png_color import read_code_points
from quickthumb.imaging.formats.png_faults import MOST_TEXT_BYTES, find_faults
from quickthumb.imaging.formats.png_keys import transparent
from quickthumb.imaging.formats.png_orientation import XMP, Told
from quickthumb.imaging.formats.row import Asked, Decoder, Encoder, Format, Header, Options, Screened, count_with_pillow
from quickthumb.imaging.formats.window import NeedMore, Window
from quickthumb.model.errors import BrokenImage
from quickthumb.model.limits import Limits

if TYPE_CHECKING:
    from PIL import Image

LARGEST_SIDE = 2**31 - 1
MOST_CHUNKS = 1024
# The offset behind the signature and the first chunk: length and name, 13 bytes, a checksum.
SECOND_CHUNK = len(SIGNATURE) + 8 + 13 + 4
MOST_KEYWORD_LETTERS = 80
# ImageMagick and libvips store blocks as texts: a name, a length, and hexadecimal digits (PNG specification, 1.2).
RAW_PROFILE = "Raw profile type "


def read_header(window: Window) -> Header:
    """The size from the first chunk; the orientation if its chunk comes before the pixels and has arrived."""
    return turned(Header("png", *read_size(window, 0)), partial(_orientation, window))


def read_size(window: Window, start: int) -> tuple[int, int]:
    """Width and height of the PNG whose signature is at `start`."""
    chunk = window.at(start + len(SIGNATURE), 16)
    if chunk[:8] != b"\x00\x00\x00\x0dIHDR":
        raise BrokenImage("The image is damaged: the PNG does not begin with its header.")
    width, height = int.from_bytes(chunk[8:12], "big"), int.from_bytes(chunk[12:16], "big")
    if max(width, height) > LARGEST_SIDE:
        raise BrokenImage("The image is damaged: the PNG's size is impossible.")
    return width, height


def _orientation(window: Window) -> int:
    told = Told()
    offset = SECOND_CHUNK
    for _ in range(MOST_CHUNKS):
        chunk = window.at(offset, HEAD_BYTES)
        length, name = int.from_bytes(chunk[:4], "big"), chunk[4:]
        if name == b"IDAT":
            break
        if wanted := told.wants(name, length):
            told.take(name, length, window.at(offset + HEAD_BYTES, wanted))
        offset += HEAD_BYTES + length + 4
    return told.orientation or UPRIGHT


def watch(_: Limits) -> Generator[tuple[int, int], bytes, int | None]:
    """Counts chunks up to the last one, and returns the orientation, which may follow behind the pixels.

    Raises BrokenImage at a second header: decoders would believe that one.
    """
    chunks, told, frames, skipped = ChunkCount(), Told(), 0, len(SIGNATURE)
    while True:
        head = yield skipped, HEAD_BYTES
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        chunks.take(name, length)
        if name == b"IEND":
            return told.orientation
        frames += name == b"fdAT"
        # Pillow looks no further than the first frame of an animation.
        taken = 0 if frames else told.wants(name, length)
        if taken:
            told.take(name, length, (yield 0, taken))
        skipped = length - taken + 4


def require_sound_chunks(window: Window, start: int) -> None:
    """Does what `watch` does for the PNG at `start` within another file, as far as that has arrived."""
    steps = watch(Limits())
    skipped, taken = next(steps)
    at = start + skipped
    with contextlib.suppress(NeedMore, StopIteration):
        while not window.ends_before(at + taken - 1):
            skipped, wanted = steps.send(window.at(at, taken))
            at, taken = at + taken + skipped, wanted


def _set_up() -> None:
    """Bounds what the texts and the profile of one file unfold to. Pillow would refuse a file that exceeds this, so
    `screen` hides what does."""
    from PIL import PngImagePlugin

    PngImagePlugin.MAX_TEXT_MEMORY = PngImagePlugin.MAX_TEXT_CHUNK = MOST_TEXT_BYTES


def screen(file: BinaryIO, with_pixels: bool) -> Screened:
    """What the decoder may see of an open, unbuffered file. Raises TooManyParts and BrokenImage as `watch` does."""
    file_bytes = file.seek(0, os.SEEK_END)
    faults = find_faults(file, file_bytes, with_pixels)
    return Screened(faults.parts(file_bytes), faults.warnings, faults.pixels)


def _options(_: Asked) -> Options:
    return {}


def _ways(frames: list[Image.Image], asked: Asked) -> Iterator[tuple[list[Image.Image], Options]]:
    from quickthumb.imaging import png_ways

    return png_ways.ways(frames, asked)


def _embed(blocks: Blocks) -> Options:
    """A PNG stores XMP in a text chunk of that name (XMP specification, part 3)."""
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    if blocks.xmp:
        texts.add_itxt(XMP.decode(), blocks.xmp.decode("utf-8", "replace"))
    for keyword, text in blocks.texts:
        if 0 < len(keyword) < MOST_KEYWORD_LETTERS and "\0" not in text:
            texts.add_text(keyword, text)
    options = {"exif": blocks.exif, "dpi": blocks.resolution, "pnginfo": texts if texts.chunks else None}
    return {name: value for name, value in options.items() if value}


PNG = Format(
    name="png",
    media_type="image/png",
    extensions=("png", "apng"),
    signatures=(SIGNATURE,),
    read_header=read_header,
    decoder=Decoder(
        pillow=("PNG",),
        set_up=_set_up,
        watch=watch,
        screen=screen,
        count_frames=count_with_pillow,
        code_points=read_code_points,
        transparent=transparent,
        late_metadata=True,
        recover=recover_part,
    ),
    encoder=Encoder(
        "PNG",
        _options,
        lossless=True,
        ticks_milliseconds=(1, 10, 1000),
        most_ticks=2**16 - 1,
        max_side=LARGEST_SIDE,
        ways=_ways,
        holds=frozenset({EXIF, XMP_KIND, TEXTS, RESOLUTION}),
        embed=_embed,
    ),
)
