"""Palettes for pictures with few distinct colors, which may be partly transparent: screenshots, drawings, icons.

Boxes of distinct colors in premultiplied RGBA are cut at the mean of the axis along which they differ most (Wan, Wong
and Prusinkiewicz, 1988).
"""

from collections.abc import Iterator
from operator import mul
from typing import NamedTuple, cast

from PIL import Image

from quickthumb.imaging import indexed
from quickthumb.imaging.indexed import HIDDEN, Color

# Colors are chosen from at most so many distinct ones. If a picture has more, those that differ only in their last
# bits, at most so many, may count as one.
MOST_DISTINCT, MOST_BITS = 4096, 3
# A color counts by this power of its pixels, so that large areas leave colors to the edges.
_WEIGHT = 0.75
_OPAQUE = 255


class _Counted(NamedTuple):
    """A color, how many pixels have it, how much it counts, and where it lies in premultiplied RGBA."""

    color: Color
    pixels: int
    weight: float
    place: tuple[int, int, int, int]


def quantize(picture: Image.Image, usual: int, fewer: int, most_bits: int) -> Iterator[Image.Image]:
    """A picture (in mode RGB or RGBA) with at most `usual` colors, in mode P, and then one with `fewer`. None at all if
    it has more than MOST_DISTINCT of them, even without the last `most_bits` bits of each level.

    All pixels of alpha 0 become HIDDEN. Equal pixels become equal.
    """
    rough, counted = _roughly(picture, most_bits)
    if counted is None:
        return
    large = _cut(_first_boxes(counted), fewer)
    boxes = _cut(large, usual)
    numbers = {indexed.pixel_of(one.color): number for number, box in enumerate(boxes) for one in box}
    content = memoryview(rough.tobytes()).cast("I")
    numbered = Image.frombytes("L", picture.size, bytes(map(numbers.__getitem__, content)))
    del rough, content, numbers
    yield _colored(numbered, boxes, boxes)
    yield _colored(numbered, boxes, large)


def _colored(numbered: Image.Image, boxes: list[list[_Counted]], large: list[list[_Counted]]) -> Image.Image:
    """A picture that has the numbers of boxes, in the colors of the large boxes out of which they were cut."""
    colors = {one.color: color for box in large for color in (_color(box),) for one in box}
    palette = sorted(set(colors.values()), key=lambda color: (color[3], color))
    order = {color: index for index, color in enumerate(palette)}
    places = [order[colors[box[0].color]] for box in boxes]
    return indexed.with_palette(numbered.point(places + [0] * (indexed.MOST - len(places))), palette)


def _roughly(picture: Image.Image, most_bits: int) -> tuple[Image.Image, list[tuple[int, Color]] | None]:
    """The picture with as few of its last bits left out as leave no more than MOST_DISTINCT colors, and these with
    their pixels; None in their place if there is no such number of bits."""
    cleared = picture.convert("RGBA")
    if picture.mode == "RGBA":
        cleared = Image.new("RGBA", picture.size, HIDDEN)
        cleared.paste(picture, mask=picture.getchannel("A").point([0] + [255] * 255))
    counted = None
    for bits in range(most_bits + 1):
        rough = cleared.point(_steps(bits) * 4)
        counted = cast("list[tuple[int, Color]] | None", rough.getcolors(MOST_DISTINCT))
        if counted is not None:
            break
    return rough, counted


def _steps(bits: int) -> list[int]:
    """Levels without their last bits, each in the middle of those that become one; the first and the last stay."""
    if not bits:
        return list(range(256))
    return [0, *(level >> bits << bits | 1 << bits - 1 for level in range(1, 255)), 255]


def _count(pixels: int, color: Color) -> _Counted:
    red, green, blue, alpha = color
    place = (red * alpha // _OPAQUE, green * alpha // _OPAQUE, blue * alpha // _OPAQUE, alpha)
    return _Counted(color, pixels, float(pixels**_WEIGHT), place)


def _first_boxes(counted: list[tuple[int, Color]]) -> list[list[_Counted]]:
    """What is hidden, and everything else."""
    found = [_count(pixels, color) for pixels, color in counted]
    hidden = [one for one in found if one.color == HIDDEN]
    return [box for box in (hidden, [one for one in found if one.color != HIDDEN]) if box]


def _cut(boxes: list[list[_Counted]], most: int) -> list[list[_Counted]]:
    """Cuts the box whose colors differ most, again and again, until there are `most` boxes, or each is one color."""
    boxes = list(boxes)
    spreads = [_spread(box) for box in boxes]
    while len(boxes) < most:
        at = max(range(len(boxes)), key=spreads.__getitem__)
        spread, axis, middle = spreads.pop(at)
        box = boxes.pop(at)
        if not spread:
            return [*boxes, box]
        for half in ([one for one in box if (one.place[axis] <= middle) is below] for below in (True, False)):
            boxes.append(half)
            spreads.append(_spread(half))
    return boxes


def _spread(box: list[_Counted]) -> tuple[float, int, float]:
    """How much the colors of a box differ along the axis where they differ most, that axis, and their mean there."""
    weights = [one.weight for one in box]
    total = sum(weights)
    found = []
    for axis, levels in enumerate(zip(*(one.place for one in box), strict=True)):
        weighted = list(map(mul, weights, levels))
        mean, lowest, highest = sum(weighted) / total, min(levels), max(levels)
        spread = sum(map(mul, weighted, levels)) - mean * mean * total if lowest < highest else 0.0
        found.append((max(spread, 0.0), axis, min(max(mean, lowest), highest - 0.5)))  # a rounded mean must divide too
    return max(found)


def _color(box: list[_Counted]) -> Color:
    """The color of a box: its most frequent one if most pixels have that, so that areas of one color keep it exactly;
    else the mean."""
    pixels = sum(one.pixels for one in box)
    fullest = max(box, key=lambda one: (one.pixels, one.color))
    if fullest.pixels * 2 >= pixels:
        return fullest.color
    *light, alpha = (sum(one.place[axis] * one.pixels for one in box) / pixels for axis in range(4))
    red, green, blue = (min(_OPAQUE, round(level * _OPAQUE / alpha)) for level in light)
    return red, green, blue, round(alpha)
