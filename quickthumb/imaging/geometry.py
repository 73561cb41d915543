"""Plans which part of the source an output shows and at what size: pure arithmetic on sizes.

The fit modes are those of CSS object-fit and of sharp. A plan is in pixels of the upright picture at full size,
whatever scale the picture is later decoded at, so that no output's size depends on how it was computed.
"""

import math
from dataclasses import dataclass

from quickthumb.imaging.orientation import Box, Size
from quickthumb.model import notation
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.output import Output


@dataclass(frozen=True, slots=True)
class Plan:
    """`region` of the upright picture is resampled to `size` and placed on a `canvas` with its corner at `offset`.

    `part` is what the crop left: nothing beyond it may show, not even through a filter that reads neighboring pixels.
    """

    part: Box
    region: Box
    size: Size
    canvas: Size
    offset: tuple[int, int] = (0, 0)

    @property
    def region_size(self) -> tuple[float, float]:
        left, top, right, bottom = self.region
        return right - left, bottom - top

    @property
    def shrink(self) -> float:
        """How many source pixels become one along the side that shrinks least; below 1 if that side is enlarged."""
        width, height = self.region_size
        return min(width / self.size[0], height / self.size[1])


def plan(upright: Size, output: Output, anchor: tuple[float, float] | None = None) -> Plan:
    """The plan of an output for an upright (and turned) picture. `anchor`, if given, replaces the output's position.

    Raises InvalidParameter for a crop that reaches outside the picture.
    """
    part = _cropped(upright, output)
    width, height = part[2] - part[0], part[3] - part[1]
    if output.width is None and output.height is None:
        return _whole(part, (int(width), int(height)))
    if output.fit == "inside" or output.width is None or output.height is None:
        return _whole(part, _inside((width, height), output))
    box = (output.width, output.height)
    anchor = anchor or notation.anchor(output.position)
    if output.fit == "cover":
        return _cover(part, box, output.enlarge, anchor)
    if output.fit == "contain":
        size = _inside((width, height), output)
        room = (box[0] - size[0], box[1] - size[1])
        return Plan(part, part, size, box, (_round(room[0] * anchor[0]), _round(room[1] * anchor[1])))
    return _whole(part, _limited(box, (width, height), output.enlarge))


def rotated_size(size: Size, degrees: float) -> Size:
    """The size of the smallest upright rectangle around a picture of `size` that was turned by `degrees`."""
    sine, cosine = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    width, height = size
    return _pixels(width * cosine + height * sine), _pixels(width * sine + height * cosine)


def _cropped(upright: Size, output: Output) -> Box:
    if output.crop is None:
        return (0, 0, *upright)
    x, y, width, height = output.crop
    if x + width > upright[0] or y + height > upright[1]:
        raise InvalidParameter(
            f"crop reaches outside the image, which has {upright[0]} × {upright[1]} pixels.", field="crop"
        )
    return (x, y, x + width, y + height)


def _whole(part: Box, size: Size) -> Plan:
    return Plan(part, part, size, size)


def _inside(size: tuple[float, float], output: Output) -> Size:
    scale = min((output.width or math.inf) / size[0], (output.height or math.inf) / size[1])
    scale = scale if output.enlarge else min(1.0, scale)
    return _pixels(size[0] * scale), _pixels(size[1] * scale)


def _cover(part: Box, box: Size, enlarge: bool, anchor: tuple[float, float]) -> Plan:
    left, top, right, bottom = part
    width, height = right - left, bottom - top
    scale = max(box[0] / width, box[1] / height)
    seen = (min(width, box[0] / scale), min(height, box[1] / scale))
    left += (width - seen[0]) * anchor[0]
    top += (height - seen[1]) * anchor[1]
    size = _limited(box, seen, enlarge)
    return Plan(part, (left, top, left + seen[0], top + seen[1]), size, size)


def _limited(box: Size, available: tuple[float, float], enlarge: bool) -> Size:
    """The box, or the largest size in its proportions that needs no enlarging."""
    scale = 1.0 if enlarge else min(1.0, available[0] / box[0], available[1] / box[1])
    return _pixels(box[0] * scale), _pixels(box[1] * scale)


def _pixels(length: float) -> int:
    return max(1, _round(length))


def _round(number: float) -> int:
    return math.floor(number + 0.5)
