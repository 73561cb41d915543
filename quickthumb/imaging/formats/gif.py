"""GIF (89a): stills and animations of at most 256 colors, one of which can be transparent.

The size is that of the logical screen, extended to the first frame if that is larger, as in decoders. This module
counts frames itself, without decoding any and no further than asked: Pillow would seek through the whole file, which is
slow for a file of a million empty frames, and would accept a file that ends within a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from quickthumb.imaging.formats import gif_end
from quickthumb.imaging.formats.blocks import COMMENT, XMP, Blocks
from quickthumb.imaging.formats.gif_blocks import EXTENSION, FRAME, TRAILER, count_frames, numbers, table_bytes
from quickthumb.imaging.formats.gif_xmp import insert_xmp
from quickthumb.imaging.formats.row import Asked, Composed, Decoder, Encoder, Format, Header, Options, too_many_frames
from quickthumb.imaging.formats.watch import Allowance, Steps
from quickthumb.imaging.formats.window import Window
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


def read_header(window: Window) -> Header:
    screen = window.at(6, 7)
    frame = window.at(_first_frame(window, 13 + table_bytes(screen[4])) + 1, 8)
    return Header("gif", *_extended(numbers(screen[:4]), frame))


def _extended(size: list[int], frame: bytes) -> list[int]:
    """The size of a screen that also shows a frame with those fields."""
    left, top, width, height = numbers(frame[:8])
    return [max(size[0], left + width), max(size[1], top + height)]


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
        self._size = numbers(screen)
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
    skipped, frames = table_bytes(screen[10]), _Frames(screen[6:10], limits)
    while (kind := (yield skipped, 1)[0]) != TRAILER:
        blocks.take(0)
        skipped = 0
        if kind == FRAME:
            fields = yield 0, 9
            frames.take(fields)
            skipped = table_bytes(fields[8]) + 1  # and the initial size of the LZW codes
        elif kind == EXTENSION:
            skipped = 1
        else:
            continue
        while size := (yield skipped, 1)[0]:
            blocks.take(size)
            skipped = size
        skipped = 0


def _count(image: Any, source: Path, stop: int) -> int:
    """The number of frames. If the file ends too early, `image.ends_early` says where, and `gif_end` judges it."""
    frames, image.ends_early = count_frames(source, stop)
    return frames


def _compose(source: Path, size: tuple[int, int], count: int, fills: bool) -> Composed:
    from quickthumb.imaging.gif_frames import GifAnimation

    return GifAnimation(source, size, count, fills)


def _plays(loop: Any) -> int:
    """How often the animation is shown: a GIF stores the repetitions after the first showing; by default, none."""
    return 1 if loop is None else 0 if loop == 0 else int(loop) + 1


def _loop(plays: int) -> int | None:
    return None if plays == 1 else max(0, plays - 1)


def _give_palette(
    frames: list[Image.Image], dither: bool, source_colors: int | None, checkpoint: Callable[[], None]
) -> None:
    from quickthumb.imaging.gif_writing import give_palette

    give_palette(frames, dither, source_colors, checkpoint)


def _write(frames: Sequence[Image.Image], milliseconds: Sequence[int], loop: int | None, file: BinaryIO) -> None:
    from quickthumb.imaging.gif_writing import write

    write(frames, milliseconds, loop, file)


def _options(_: Asked) -> Options:
    return {"interlace": 0}  # interlaced rows take more bytes


def _embed(blocks: Blocks) -> Options:
    options = {"xmp": blocks.xmp, "comment": blocks.comment}
    return {name: block for name, block in options.items() if block}


GIF = Format(
    name="gif",
    media_type="image/gif",
    extensions=("gif",),
    signatures=(b"GIF87a", b"GIF89a"),
    read_header=read_header,
    decoder=Decoder(
        pillow=("GIF",), watch=watch, count_frames=_count, judge_end=gif_end.judge, compose=_compose, plays=_plays
    ),
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
        least_ticks=2,
        prepare=_give_palette,
        write=_write,
    ),
)
