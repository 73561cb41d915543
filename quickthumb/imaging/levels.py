"""One decoded frame at several sizes: how one decode serves many outputs, the larger feeding the smaller."""

import math
from dataclasses import dataclass

from PIL import Image

from quickthumb.imaging.orientation import Box, Size
from quickthumb.imaging.resampling import resample

# How many times more pixels a side, at least, a picture must have for a smaller one to be made of it without visible
# loss. Both are measured: see docs/imaging.md.
DRAFT_MARGIN = 1.5
FEED_MARGIN = 2.0
# The scales that libjpeg decodes at for less than the work of the whole.
DRAFT_SCALES = (8, 4, 2)


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
    """The frame as decoded, and every whole picture that has been made of it."""

    def __init__(self, decoded: Level, full: Size) -> None:
        self._full = full
        self._by_size = [decoded]

    def cut(self, region: Box, size: Size) -> Image.Image:
        """`region` of the full-size picture at `size` pixels, from the smallest level that serves it."""
        level = next((level for level in self._by_size if level.serves(region, size)), self._by_size[-1])
        made = resample(level.picture, size, level.box(region))
        if region == (0, 0, *self._full):
            self._add(made)
        return made

    def _add(self, picture: Image.Image) -> None:
        self._by_size.append(Level(picture, (picture.width / self._full[0], picture.height / self._full[1])))
        self._by_size.sort(key=lambda level: math.prod(level.picture.size))


def draft_scale(shrinks: list[float]) -> int:
    """By how much a JPEG may be shrunk while decoding for outputs that shrink its sides by at least `shrinks`."""
    least = min(shrinks)
    return next((scale for scale in DRAFT_SCALES if least / scale >= DRAFT_MARGIN), 1)
