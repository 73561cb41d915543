"""How to write the pixels of a PNG: as a palette, in gray of few bits, or with filters, whichever makes them smallest.

What is tried is tried on a sample of the rows: a whole encoding takes as long as everything else together.
"""

import io
import math
import zlib
from collections.abc import Iterator

from PIL import Image

from quickthumb.imaging import png_palettes
from quickthumb.imaging.formats.row import Asked, Options
from quickthumb.imaging.indexed import strips

Frames = list[Image.Image]

# Palettes take a quarter of the time of other pictures, and so get the level at which zlib searches thoroughly.
_THOROUGH, _BEST = {"compress_level": 8}, {"compress_level": 9}
# A picture of so few pixels has few bytes in any way.
_FEW_PIXELS = 4096
_MOST_THOROUGH_PIXELS = 1_000_000
# zlib's strategy that looks for nothing but runs of one byte. For what filters leave of a photo, that is nearly as
# small as a search for repetitions, in half the time.
_RUNS = {"compress_level": 6, "compress_type": zlib.Z_RLE}
_REPETITIONS = {"compress_level": 6}
_RUNS_MAY_COST = 1.02
# A sample has a tenth of the rows, in three bands, and at least so many pixels. Smaller pictures are not worth it.
_SAMPLE_SHARE, _SAMPLE_BANDS, _SAMPLE_PIXELS = 10, 3, 16_384
# The bits that all levels of a gray picture fit in, for the distances between these levels.
_GRAY_BITS = {255: 1, 85: 2, 17: 4}


def ways(frames: Frames, asked: Asked) -> Iterator[tuple[Frames, Options]]:
    """Ways to write the frames (in mode L, RGB or RGBA): the usual one first, then those that take longer and may be
    smaller. `lossless` keeps every pixel exactly; without it, a picture whose source had a palette may get one whose
    loss nobody sees."""
    if asked.pixels <= _FEW_PIXELS and not asked.from_palette:
        yield frames, _REPETITIONS
        return
    frames = frames if asked.has_profile else _in_gray(frames)
    if frames[0].mode == "L":
        yield frames, _gray_options(frames)
        yield from _thorough(frames)
        return
    exact = png_palettes.exactly(frames, keep_hidden=asked.lossless)
    may_choose = exact is None and asked.from_palette and not asked.lossless
    chosen = png_palettes.closely(frames) if may_choose else iter(())
    indexed = exact or next(chosen, None)
    if indexed is None or not _is_smaller(indexed[0], frames[0]):
        yield frames, _strategy(frames[0])
        yield from _thorough(frames)
        return
    yield indexed, _THOROUGH
    fewer = next(chosen, None)
    yield (fewer, _THOROUGH) if fewer else (indexed, _BEST)


def _thorough(frames: Frames) -> Iterator[tuple[Frames, Options]]:
    if math.prod(frames[0].size) * len(frames) <= _MOST_THOROUGH_PIXELS:
        yield frames, {**(_gray_options(frames) if frames[0].mode == "L" else {}), **_THOROUGH, "compress_type": -1}


def _in_gray(frames: Frames) -> Frames:
    """The frames in mode L if none of them has a color: that takes a third of the bytes."""
    return [frame.convert("L") for frame in frames] if all(map(_is_gray, frames)) else frames


def _is_gray(frame: Image.Image) -> bool:
    if frame.mode != "RGB":
        return frame.mode == "L"
    for left in range(0, frame.width, max(1, frame.width // 4)):  # a column tells most pictures at once
        if not _has_equal_bands(frame.crop((left, 0, left + 1, frame.height))):
            return False
    return _has_equal_bands(frame)


def _has_equal_bands(picture: Image.Image) -> bool:
    for _, strip in strips(picture):
        red, green, blue = (band.tobytes() for band in strip.split())
        if not red == green == blue:
            return False
    return True


def _gray_options(frames: Frames) -> Options:
    """The fewest bits that hold all levels of gray frames exactly, or a strategy for 8 bits."""
    levels = {level for frame in frames for level, count in enumerate(frame.histogram()) if count}
    bits = next((bits for step, bits in _GRAY_BITS.items() if not any(level % step for level in levels)), 8)
    return {"bits": bits, **_THOROUGH} if bits < 8 else _strategy(frames[0])


def _strategy(frame: Image.Image) -> Options:
    """zlib's strategy for a picture that is written with filters."""
    if math.prod(frame.size) < _SAMPLE_PIXELS:
        return _REPETITIONS
    sample = _sample(frame)
    runs = _bytes(sample, _RUNS)
    return _RUNS if runs <= _bytes(sample, _REPETITIONS) * _RUNS_MAY_COST else _REPETITIONS


def _is_smaller(indexed: Image.Image, plain: Image.Image) -> bool:
    """Whether a palette makes a picture smaller. The palette itself counts whole, and a sample for the rest."""
    first, second = _sample(indexed), _sample(plain)
    share = first.height / indexed.height
    palette = _bytes(first.crop((0, 0, 1, 1)), _REPETITIONS)
    pixels = _bytes(first, _REPETITIONS) - palette
    return palette + pixels / share <= _bytes(second, _REPETITIONS) / share


def _sample(picture: Image.Image) -> Image.Image:
    """Some rows from the top, the middle and the bottom, one below the other; small pictures whole."""
    rows = max(picture.height // _SAMPLE_SHARE, -(-_SAMPLE_PIXELS // picture.width)) // _SAMPLE_BANDS
    if rows * _SAMPLE_BANDS >= picture.height or not rows:
        return picture
    sample = picture.crop((0, 0, picture.width, rows * _SAMPLE_BANDS))
    for band in range(1, _SAMPLE_BANDS):
        top = (picture.height - rows) * band // (_SAMPLE_BANDS - 1)
        sample.paste(picture.crop((0, top, picture.width, top + rows)), (0, rows * band))
    return sample


def _bytes(picture: Image.Image, options: Options) -> int:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.tell()
