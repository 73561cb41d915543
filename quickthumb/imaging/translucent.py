"""Palettes whose colors may be partly transparent, for small pictures such as icons with soft edges.

Median cut (Heckbert 1982) over the distinct colors, in premultiplied RGBA; a color of the palette is the most frequent
one of its box, so that areas of one color keep it exactly.
"""

import sys
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

from PIL import Image

from quickthumb.imaging import palettes
from quickthumb.imaging.palettes import HIDDEN, Color

# A picture with more distinct colors is a photo, which no palette of this kind fits.
MOST_DISTINCT = 4096
# A color counts by the square root of its pixels, so that large areas leave colors to the edges.
_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class _Counted:
    """A color, how many pixels have it, and where it lies in premultiplied RGBA."""

    color: Color
    pixels: int
    place: tuple[int, int, int, int]

    @property
    def weight(self) -> float:
        return float(self.pixels**_WEIGHT)


def quantize(picture: Image.Image, most: int) -> Image.Image | None:
    """A picture in mode RGBA with at most `most` colors, in mode P; None if it has more than MOST_DISTINCT.

    All pixels of alpha 0 become HIDDEN. Equal pixels become equal.
    """
    cleared = Image.new("RGBA", picture.size, HIDDEN)
    cleared.paste(picture, mask=picture.getchannel("A").point([0] + [255] * 255))
    counted = cast("list[tuple[int, Color]] | None", cleared.getcolors(MOST_DISTINCT))
    if counted is None:
        return None
    boxes = _cut([_count(pixels, color) for pixels, color in counted], most)
    colors = sorted(_fullest(box).color for box in boxes)
    order = {color: index for index, color in enumerate(colors)}
    indices = {_key(one.color): order[_fullest(box).color] for box in boxes for one in box}
    content = memoryview(cleared.tobytes()).cast("I")
    made = Image.frombytes("L", picture.size, bytes(map(indices.__getitem__, content)))
    return palettes.with_palette(made, colors)


def _count(pixels: int, color: Color) -> _Counted:
    red, green, blue, alpha = color
    return _Counted(color, pixels, (red * alpha // 255, green * alpha // 255, blue * alpha // 255, alpha))


def _cut(found: list[_Counted], most: int) -> list[list[_Counted]]:
    """Cuts the box that matters most, again and again, until there are `most` boxes or every box is one color."""
    hidden = [one for one in found if one.color == HIDDEN]
    boxes = [box for box in (hidden, [one for one in found if one.color != HIDDEN]) if box]
    sizes = [_importance(box) for box in boxes]
    while len(boxes) < most:
        at = max(range(len(boxes)), key=sizes.__getitem__)
        if len(boxes[at]) == 1:
            break
        del sizes[at]
        halves = _halves(boxes.pop(at))
        boxes += halves
        sizes += map(_importance, halves)
    return boxes


def _importance(box: list[_Counted]) -> float:
    """How much a box would gain from a cut: 0 for one color."""
    return 0.0 if len(box) == 1 else max(_extents(box)) * sum(one.weight for one in box)


def _extents(box: list[_Counted]) -> list[int]:
    return [max(levels) - min(levels) for levels in zip(*(one.place for one in box), strict=True)]


def _halves(box: list[_Counted]) -> tuple[list[_Counted], list[_Counted]]:
    """Cuts a box across its longest side, where half of its weight lies on either side."""
    extents = _extents(box)
    axis = extents.index(max(extents))
    box = sorted(box, key=lambda one: one.place[axis])
    reached = list(accumulate(one.weight for one in box))
    at = min(bisect_left(reached, reached[-1] / 2) + 1, len(box) - 1)
    return box[:at], box[at:]


def _fullest(box: list[_Counted]) -> _Counted:
    return max(box, key=lambda one: (one.pixels, one.color))


def _key(color: Color) -> int:
    """A pixel as memory holds it."""
    return int.from_bytes(bytes(color), sys.byteorder)
