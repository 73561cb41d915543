"""Palettes for PNG: the exact colors of pictures that have few, and for pictures that came with a palette, a palette
whose loss nobody sees.

Everything goes over strips of a picture, so that a large one takes no more memory than its indices.
"""

import math
from collections.abc import Iterator, Sequence

from PIL import Image, ImageChops, ImageStat

from quickthumb.imaging import distinct_colors, indexed, palettes
from quickthumb.imaging.indexed import Color

MOST_COLORS = 256
# How many colors are chosen, usually and if that makes the file too large.
FLAT_COLORS, PHOTO_COLORS = (128, 48), (256, 96)
# Choosing colors takes some 30 bytes and a tenth of a microsecond for each pixel.
MOST_CHOSEN_PIXELS = 2_000_000
# A loss is invisible if the noise is that far below the signal, in decibels, and no sample is off by more levels than
# this, of 255. Screenshots with smoothed text reach 50 dB with 256 colors; photos do not reach 40.
LEAST_DECIBELS = 42.0
MOST_LEVELS_OFF = 64
_CHANNELS = 4  # an opaque picture has no noise in its alpha

Frames = list[Image.Image]


def exactly(frames: Sequence[Image.Image], keep_hidden: bool) -> Frames | None:
    """Frames (in mode L, RGB or RGBA) of at most 256 colors together, with exactly these. None for any others.

    With `keep_hidden`, also None if pixels that are fully transparent have colors, which would be lost.
    """
    found: set[Color] = set()
    for frame in frames:
        for _, strip in indexed.strips(frame):
            counted = strip.getcolors(MOST_COLORS)  # ends at the first color that is too many: at once for photos
            if counted is None:
                return None
            found.update(indexed.color_of(color) for _, color in counted)
            if len(found) > MOST_COLORS:
                return None
    hidden = {color for color in found if not color[3]}
    if keep_hidden and hidden - {indexed.HIDDEN}:
        return None
    if hidden:
        found = found - hidden | {indexed.HIDDEN}
    colors = sorted(found, key=_place)
    return [indexed.exact(frame, colors) for frame in frames]


def closely(frames: Sequence[Image.Image]) -> Iterator[Frames]:
    """A still (in mode RGB or RGBA) with the usual number of chosen colors, and then with fewer, each only if nobody
    could see the loss."""
    (frame, *others) = frames
    if others or frame.mode == "L" or math.prod(frame.size) > MOST_CHOSEN_PIXELS:
        return
    for made in _choices(frame):
        if not is_invisible(frame, made):
            return
        yield [made]


def _choices(picture: Image.Image) -> Iterator[Image.Image]:
    """Flat pictures have few distinct colors, and need fewer of them than photos."""
    flat = distinct_colors.quantize(picture, *FLAT_COLORS, most_bits=0)
    if (first := next(flat, None)) is not None:
        yield first
        yield from flat
    elif _is_translucent(picture):
        yield from distinct_colors.quantize(picture, *PHOTO_COLORS, distinct_colors.MOST_BITS)
    else:
        yield from (palettes.quantize(picture, most, dither=False) for most in PHOTO_COLORS)


def is_invisible(picture: Image.Image, other: Image.Image) -> bool:
    """Whether nobody sees the difference between two pictures. Colors count as much as they are opaque."""
    opaque = picture.mode == "RGB" and not other.has_transparency_data
    one, another = (each.convert("RGB") if opaque else _weighted(each) for each in (picture, other))
    found = ImageStat.Stat(ImageChops.difference(one, another))
    if max(most for _, most in found.extrema) > MOST_LEVELS_OFF:
        return False
    noise = sum(found.sum2) / (_CHANNELS * math.prod(picture.size))
    return noise <= 255**2 / 10 ** (LEAST_DECIBELS / 10)


def _weighted(picture: Image.Image) -> Image.Image:
    """Premultiplied RGBA, as four plain bands."""
    weighted = picture.convert("RGBA").convert("RGBa")
    return Image.frombytes("RGBA", picture.size, weighted.tobytes())


def _is_translucent(picture: Image.Image) -> bool:
    return picture.mode == "RGBA" and any(picture.getchannel("A").histogram()[1:255])


def _place(color: Color) -> tuple[bool, int, Color]:
    """The order in a palette: transparent colors first, since the file lists the alpha of no color behind them; then by
    lightness, since pixels beside each other then have like indices, which compress better."""
    red, green, blue, alpha = color
    return alpha == 255, 3 * red + 6 * green + blue, color
