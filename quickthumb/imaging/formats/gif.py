"""GIF (89a): stills and animations of at most 256 colors, one of which can be transparent.

The size is that of the logical screen, extended to the first frame if that is larger, as in decoders. This module
counts frames itself, without decoding any and no further than asked: Pillow would seek through the whole file, which is
slow for a file of a million empty frames, and would accept a file that ends within a frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from quickthumb.imaging.formats.blocks import COMMENT, XMP, Blocks
from quickthumb.imaging.formats.gif_xmp import insert_xmp
from quickthumb.imaging.formats.row import Asked, Decoder, Encoder, Format, Header, Options, Window, too_many_frames
from quickthumb.imaging.formats.watch import Allowance, Steps
from quickthumb.model.errors import BrokenImage
from quickthumb.model.limits import Limits

if TYPE_CHECKING:
    from PIL import Image

# Blocks of at most 255 bytes before the first frame: 5 MB of comments and metadata.
MOST_BLOCKS = 20_000
# Encoders fill their blocks with 255 bytes; Pillow takes about a microsecond for each block, and more for what holds
# them.
MOST_SHORT_BLOCKS = 20_000
AVERAGE_BLOCK_BYTES = 128
# By how much frames after the first may extend the screen, if that has more than a megapixel.
MOST_GROWTH = 1.25
SMALL_PIXELS = 1_000_000
EXTENSION = 0x21
FRAME = 0x2C
TRAILER = 0x3B

# One of the palette's 256 colors is reserved for transparent pixels.
_COLORS = 255
# Alpha below this becomes transparent: a GIF has no partial transparency.
_OPAQUE = 128


def read_header(window: Window) -> Header:
    screen = window.at(6, 7)
    frame = window.at(_first_frame(window, 13 + _table_bytes(screen[4])) + 1, 8)
    return Header("gif", *_extended(_numbers(screen[:4]), frame))


def _extended(size: list[int], frame: bytes) -> list[int]:
    """The size of a screen that also shows a frame with those fields."""
    left, top, width, height = _numbers(frame[:8])
    return [max(size[0], left + width), max(size[1], top + height)]


def _table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 0b111) + 1) if flags & 0b1000_0000 else 0


def _first_frame(window: Window, offset: int) -> int:
    within_extension = False
    for _ in range(MOST_BLOCKS):
        block = window.at(offset, 1)[0]
        if within_extension:
            within_extension = block != 0
            offset += 1 + block
        elif block == FRAME:
            return offset
        elif block == EXTENSION:
            within_extension = True
            offset += 2
        elif block == TRAILER:
            raise BrokenImage("The image is damaged: the GIF has no frame.")
        else:
            offset += 1  # decoders skip stray bytes between blocks
    raise BrokenImage("The image is damaged: the GIF has too many blocks before its first frame.")


class _Frames:
    """Counts frames, and how far they extend the screen. What was checked, and what memory was set aside for, is the
    size with the first of them; decoders would take each to its full size, and all after it."""

    def __init__(self, screen: bytes, limits: Limits) -> None:
        self._size = _numbers(screen)
        self._limits = limits
        self._count = self._most_pixels = 0

    def take(self, frame: bytes) -> None:
        """Raises TooManyFrames, and BrokenImage for a frame far beyond the screen."""
        self._count += 1
        if self._count > self._limits.max_frames:
            raise too_many_frames(self._limits)
        self._size = _extended(self._size, frame)
        pixels = self._size[0] * self._size[1]
        if self._count == 1:
            self._most_pixels = max(SMALL_PIXELS, int(pixels * MOST_GROWTH))
        elif pixels > self._most_pixels:
            raise BrokenImage("The image is damaged: a frame of the GIF lies far outside its screen.")


def watch(limits: Limits) -> Steps:
    """Counts frames, extensions and the blocks in them, up to the end of the animation."""
    blocks = Allowance("blocks", MOST_SHORT_BLOCKS, AVERAGE_BLOCK_BYTES)
    screen = yield 0, 13
    skipped, frames = _table_bytes(screen[10]), _Frames(screen[6:10], limits)
    while (kind := (yield skipped, 1)[0]) != TRAILER:
        blocks.take(0)
        skipped = 0
        if kind == FRAME:
            fields = yield 0, 9
            frames.take(fields)
            skipped = _table_bytes(fields[8]) + 1  # and the initial size of the LZW codes
        elif kind == EXTENSION:
            skipped = 1
        else:
            continue
        while size := (yield skipped, 1)[0]:
            blocks.take(size)
            skipped = size
        skipped = 0


def _numbers(fields: bytes) -> list[int]:
    return [int.from_bytes(fields[start : start + 2], "little") for start in range(0, len(fields), 2)]


def _count_frames(_: Image.Image, source: Path, stop: int) -> int:
    """The number of frames, or `stop` if there are at least that many (GIF89a specification, appendix B).

    Accepts a missing trailer, as browsers do. Raises BrokenImage if the file ends within a block.
    """
    frames = 0
    with source.open("rb") as file:
        screen = _read(file, 13)
        _skip_colors(file, screen[10])
        while frames < stop:
            kind = file.read(1)
            if kind == b",":
                _skip_colors(file, _read(file, 9)[8])
                _read(file, 1)  # the initial size of the LZW codes
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
        raise BrokenImage("The image is damaged: the GIF ends too early.")
    return data


def _plays(loop: Any) -> int:
    """How often the animation is shown: a GIF stores the repetitions after the first showing; by default, none."""
    return 1 if loop is None else 0 if loop == 0 else int(loop) + 1


def _loop(plays: int) -> int | None:
    return None if plays == 1 else max(0, plays - 1)


def _with_palette(picture: Image.Image, alone: bool) -> Image.Image:
    """The picture with a palette of its own, by median cut. Only a still is dithered: in an animation the dots would
    seem to crawl."""
    if picture.mode == "L":
        return picture
    from PIL import Image

    rgb = picture.convert("RGB")
    made = rgb.quantize(_COLORS, Image.Quantize.MEDIANCUT)
    if alone:
        made = rgb.quantize(palette=made, dither=Image.Dither.FLOYDSTEINBERG)
    if picture.mode == "RGBA":
        _cut_out(made, picture.getchannel("A"))
    return made


def _cut_out(picture: Image.Image, alpha: Image.Image) -> None:
    hidden = alpha.point([255 if sample < _OPAQUE else 0 for sample in range(256)])
    colors = (picture.getpalette() or [])[: 3 * _COLORS]
    picture.putpalette(colors + [0] * (768 - len(colors)))
    picture.paste(_COLORS, mask=hidden)
    picture.info["transparency"] = _COLORS


def _disposal(frames: list[Image.Image]) -> Options:
    """Where a frame is transparent, the frame before it must not show through."""
    return {"disposal": 2 if any("transparency" in frame.info for frame in frames) else 1}


def _options(_: Asked) -> Options:
    return {}


def _embed(blocks: Blocks) -> Options:
    options = {"xmp": blocks.xmp, "comment": blocks.comment}
    return {name: block for name, block in options.items() if block}


GIF = Format(
    name="gif",
    media_type="image/gif",
    extensions=("gif",),
    signatures=(b"GIF87a", b"GIF89a"),
    read_header=read_header,
    decoder=Decoder(pillow=("GIF",), watch=watch, count_frames=_count_frames, plays=_plays),
    encoder=Encoder(
        "GIF",
        _options,
        profile=False,
        holds=frozenset({XMP, COMMENT}),
        embed=_embed,
        finish=insert_xmp,
        ticks_milliseconds=(10,),
        most_ticks=2**16 - 1,
        loop=_loop,
        prepare=_with_palette,
        animation_options=_disposal,
    ),
)
