"""One decoded frame at several sizes: how one decode serves many outputs, the larger feeding the smaller."""

import math
from dataclasses import dataclass

from PIL import Image

from quickthumb.imaging.orientation import Box, Size
from quickthumb.imaging.resampling import resample

# How many times more pixels a side, at least, a picture must have for a smaller one to be made of it without visible
# loss. Both are measured: see docs/imaging.md.
DRAFT_MARGIN = 1.75
FEED_MARGIN = 1.3
# The scales that libjpeg decodes at for less than the work of the whole.
DRAFT_SCALES = (8, 4, 2)
# Sums of fractions of pixels may be this far off whole ones.
_ALMOST = 1e-6


@dataclass(frozen=True, slots=True)
class Level:
    """A stored picture, whole, at `scale` of its full size (across, down)."""

    picture: Image.Image
    scale: tuple[float, float]

    def box(self, full: Box) -> Box:
        """A box of the full size in this level's pixels, kept within the picture."""
        (left, top, right, bottom), (x, y) = full, self.scale
        width, height = self.picture.size
        right, bottom = min(right * x, width), min(bottom * y, height)
        return min(left * x, right), min(top * y, bottom), right, bottom

    def serves(self, region: Box, size: Size) -> bool:
        """Whether this level has enough pixels in `region` (of the full size) to be resampled to `size`."""
        left, top, right, bottom = region
        across, down = (right - left) * self.scale[0] / size[0], (bottom - top) * self.scale[1] / size[1]
        return min(across, down) >= FEED_MARGIN


class Levels:
    """The frame as decoded, and every picture that has been made of it. Pictures are shared: never change one."""

    def __init__(self, decoded: Level, full: Size) -> None:
        self._full = full
        self._decoded = decoded
        self._by_size = [decoded]
        self._made: dict[tuple[Box, Size, Box | None], Image.Image] = {}

    def cut(self, region: Box, size: Size, part: Box | None = None) -> Image.Image:
        """`region` of the full-size picture at `size` pixels, from the smallest level that serves it.

        Where a `part` of the picture is given, nothing outside it has any influence.
        """
        wanted = (region, size, part)
        if wanted not in self._made:
            self._made[wanted] = self._cut(region, size, part)
        return self._made[wanted]

    def _cut(self, region: Box, size: Size, part: Box | None) -> Image.Image:
        whole = (0, 0, *self._full)
        level = next((level for level in self._by_size if level.serves(region, size)), self._by_size[-1])
        picture, box = level.picture, level.box(region)
        if part is not None and part != whole:
            picture, box = _within(picture, box, level.box(part))
        made = resample(picture, size, box)
        if region == whole:
            self._add(made)
        return made

    def _add(self, picture: Image.Image) -> None:
        if any(side >= most for side, most in zip(picture.size, self._decoded.picture.size, strict=True)):
            return  # there is nothing more to see in an enlarged picture, and less to see it with
        self._by_size.append(Level(picture, (picture.width / self._full[0], picture.height / self._full[1])))
        self._by_size.sort(key=lambda level: math.prod(level.picture.size))


def _within(picture: Image.Image, box: Box, part: Box) -> tuple[Image.Image, Box]:
    """The picture cut down to the whole pixels of `part`, and the box as it lies there."""
    left, top = math.ceil(part[0] - _ALMOST), math.ceil(part[1] - _ALMOST)
    right, bottom = max(left + 1, math.floor(part[2] + _ALMOST)), max(top + 1, math.floor(part[3] + _ALMOST))
    cut = picture.crop((left, top, right, bottom))
    x0, x1 = (min(max(x - left, 0), cut.width) for x in (box[0], box[2]))
    y0, y1 = (min(max(y - top, 0), cut.height) for y in (box[1], box[3]))
    if x1 - x0 < _ALMOST or y1 - y0 < _ALMOST:  # less than a pixel of a shrunken level
        return cut, (0, 0, *cut.size)
    return cut, (x0, y0, x1, y1)


def draft_scale(shrinks: list[float]) -> int:
    """By how much a JPEG may be shrunk while decoding for outputs that shrink its sides by at least `shrinks`."""
    least = min(shrinks)
    return next((scale for scale in DRAFT_SCALES if least / scale >= DRAFT_MARGIN), 1)
