"""One decoded frame at several sizes: one decode serves many outputs, and larger results feed smaller ones."""

import math
from dataclasses import dataclass

from PIL import Image

from quickthumb.imaging.orientation import Box, Size
from quickthumb.imaging.resampling import keeps_pixels, resample

# How many times more pixels per side a picture needs, at least, so that a smaller one can be made from it without
# visible loss: while decoding a JPEG, and from another result. Both are measured: see docs/imaging.md.
DRAFT_MARGIN = 1.75
FEED_MARGIN = 1.3
# Results with more pixels than this are kept as levels only if their sizes differ. So all levels together take less
# than two and a half times as much memory as the decoded picture.
SMALL_PIXELS = 1 << 18
# The scales (1/8, 1/4, 1/2) at which libjpeg decodes with less work than at full size.
DRAFT_SCALES = (8, 4, 2)
# Sums of fractions of pixels may differ from whole pixels by this much.
_ALMOST = 1e-6

Pixels = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Level:
    """The whole stored picture at `scale` of its full size (across, down)."""

    picture: Image.Image
    scale: tuple[float, float]

    def box(self, full: Box) -> Box:
        """Converts a box in full-size pixels to this level's pixels, clipped to the picture."""
        return box_at(full, self.scale, self.picture.size)

    def serves(self, region: Box, size: Size) -> bool:
        """Whether this level has enough pixels in `region` (in full-size pixels) to resample it to `size`."""
        left, top, right, bottom = region
        across, down = (right - left) * self.scale[0] / size[0], (bottom - top) * self.scale[1] / size[1]
        return min(across, down) >= FEED_MARGIN


class Levels:
    """The decoded frame, and the pictures made from it that others can be made from. Pictures are shared: never modify
    one."""

    def __init__(self, decoded: Level, full: Size) -> None:
        self._full = full
        self._decoded = decoded
        self._by_size = [decoded]
        self._last: tuple[tuple[Box, Size, Box | None], Image.Image] | None = None

    def cut(self, region: Box, size: Size, part: Box | None = None) -> Image.Image:
        """`region` of the full-size picture at `size` pixels, made from the smallest level that has enough pixels.

        If a `part` of the picture is given, pixels outside it have no influence. The same cut is made once if the calls
        for it follow each other.
        """
        wanted = (region, size, part)
        if self._last is None or self._last[0] != wanted:
            self._last = None  # frees its memory before more is taken
            self._last = (wanted, self._cut(region, size, part))
        return self._last[1]

    def _cut(self, region: Box, size: Size, part: Box | None) -> Image.Image:
        whole = (0, 0, *self._full)
        level = next((level for level in self._by_size if level.serves(region, size)), self._by_size[-1])
        picture, box = level.picture, level.box(region)
        if part is not None and part != whole and not keeps_pixels(size, box):
            pixels = whole_pixels(level.box(part), picture.size)
            picture, box = picture.crop(pixels), within(box, pixels)
        made = resample(picture, size, box)
        if region == whole:
            self._add(made)
        return made

    def _add(self, picture: Image.Image) -> None:
        if any(side >= most for side, most in zip(picture.size, self._decoded.picture.size, strict=True)):
            return  # an enlarged picture shows nothing that the decoded one does not show better
        pixels = math.prod(picture.size)
        if pixels > SMALL_PIXELS and any(_saves_little(pixels, level.picture.size) for level in self._by_size):
            return
        self._by_size.append(Level(picture, (picture.width / self._full[0], picture.height / self._full[1])))
        self._by_size.sort(key=lambda level: math.prod(level.picture.size))


def _saves_little(pixels: int, level: Size) -> bool:
    """Whether a picture has about as many pixels as a level that there is."""
    others = math.prod(level)
    return max(pixels, others) < min(pixels, others) * FEED_MARGIN**2


def box_at(full: Box, scale: tuple[float, float], size: Size) -> Box:
    """Converts a box in full-size pixels to pixels of a picture of `size` at that scale, clipped to the picture."""
    (left, top, right, bottom), (x, y) = full, scale
    right, bottom = min(right * x, size[0]), min(bottom * y, size[1])
    return min(left * x, right), min(top * y, bottom), right, bottom


def whole_pixels(part: Box, size: Size) -> Pixels:
    """The whole pixels within `part` of a picture of `size`; at least one each way."""
    left, top = min(math.ceil(part[0] - _ALMOST), size[0] - 1), min(math.ceil(part[1] - _ALMOST), size[1] - 1)
    return left, top, max(left + 1, math.floor(part[2] + _ALMOST)), max(top + 1, math.floor(part[3] + _ALMOST))


def within(box: Box, pixels: Pixels) -> Box:
    """The box in the coordinates of a picture that has been cut down to `pixels`; all of it if less than a pixel would
    be left."""
    left, top, right, bottom = pixels
    width, height = right - left, bottom - top
    x0, x1 = (min(max(x - left, 0), width) for x in (box[0], box[2]))
    y0, y1 = (min(max(y - top, 0), height) for y in (box[1], box[3]))
    if x1 - x0 < _ALMOST or y1 - y0 < _ALMOST:  # of a shrunken picture
        return 0, 0, width, height
    return x0, y0, x1, y1


def draft_scale(shrinks: list[float], size: Size) -> int:
    """By how much to shrink a JPEG of `size` while decoding (1, 2, 4 or 8), for outputs that shrink its sides by
    `shrinks`. A side keeps at least one whole pixel: of a long and thin picture that stands slanted in its frame, the
    frame shrinks by more than the thin side has pixels."""
    most = min(min(shrinks) / DRAFT_MARGIN, *size)
    return next((scale for scale in DRAFT_SCALES if scale <= most), 1)
