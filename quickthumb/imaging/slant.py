"""Slanted pictures: rotated by anything other than a multiple of 90 degrees.

A slanted picture stands in a frame, the smallest upright rectangle around it. Of a long and thin picture, the frame has
thousands of times more pixels than the picture itself, so the frame is never made. This module makes the one window of
it that an output shows, by an affine transform of the one part of the picture that is seen there. The pixels are those
that Pillow's `rotate` with `expand` would make of the whole picture.
"""

import math
from dataclasses import dataclass

from PIL import Image

from quickthumb.imaging.color import Color
from quickthumb.imaging.levels import Levels, Pixels, box_at, whole_pixels, within
from quickthumb.imaging.orientation import Box, Size, Turn
from quickthumb.imaging.resampling import resample, support_pixels

# Pillow's bicubic transform reads this many pixels around each point, rounding included.
_BICUBIC_PIXELS = 3
# The picture is shrunk before it is slanted, but keeps this many times more pixels per side than the result has.
_MARGIN = 2

Matrix = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Window:
    """How to make `region` of a slanted picture at a size, in whole pixels of three pictures.

    The upright picture is shrunk to `shrunk`; `part` of it is seen. `window` of the frame is made from that, through
    `matrix`, which maps the window to the part. `box`, within the window, is what is resampled to the size.
    """

    shrunk: Size
    part: Pixels
    window: Pixels
    matrix: Matrix
    box: Box

    @property
    def size(self) -> Size:
        return self.window[2] - self.window[0], self.window[3] - self.window[1]

    @property
    def part_size(self) -> Size:
        """May be empty: the corners of a frame show nothing of the picture."""
        return self.part[2] - self.part[0], self.part[3] - self.part[1]


def plan_window(
    upright: Size, degrees: float, mirror: Turn, slanted: Size, region: Box, size: Size, inside: Box
) -> Window:
    """Plans how to show `region` at `size` pixels: pure arithmetic, in time that does not depend on the sizes.

    `upright` is the size of the picture before it is turned `degrees` clockwise and then mirrored; `slanted` is the
    size of its frame. `region` is in pixels of that frame, and so is `inside`, beyond which nothing may show.
    """
    across, down = (region[2] - region[0]) / size[0], (region[3] - region[1]) / size[1]
    shrink = max(1.0, min(across, down) / _MARGIN)
    shrunk = (max(1, round(upright[0] / shrink)), max(1, round(upright[1] / shrink)))
    frame, matrix = _frame(shrunk, degrees)
    scale = (frame[0] / slanted[0], frame[1] / slanted[1])
    most = whole_pixels(box_at(inside, scale, frame), frame)
    window, box = _window(box_at(region, scale, frame), size, most)
    before = tuple(int(side) for side in mirror.source_box(window, frame))
    matrix = _moved(matrix, before[0], before[1])
    part = _part(matrix, (window[2] - window[0], window[3] - window[1]), shrunk)
    return Window(shrunk, part, window, _from(matrix, part), box)


def show(
    levels: Levels, stored: Size, turn: Turn, mirror: Turn, color: Color, window: Window, size: Size
) -> Image.Image:
    """Makes what `window` plans, in sRGB. `stored` is the size of the whole picture that `turn` makes upright."""
    picture = _slanted(levels, stored, turn, color, window)
    return resample(mirror.apply(picture), size, window.box)


def _slanted(levels: Levels, stored: Size, turn: Turn, color: Color, window: Window) -> Image.Image:
    if 0 in window.part_size:
        return Image.new("RGBA", window.size)
    part = turn.source_box(window.part, window.shrunk)
    whole = turn.size(window.shrunk)
    x, y = stored[0] / whole[0], stored[1] / whole[1]
    region = (part[0] * x, part[1] * y, part[2] * x, part[3] * y)
    if part == (0, 0, *whole):
        region = (0, 0, *stored)  # exactly, so that other outputs can be made from the same picture
    cut = levels.cut(region, turn.size(window.part_size))
    colors = color.to_srgb(turn.apply(cut)).convert("RGBA")
    return colors.transform(window.size, Image.Transform.AFFINE, window.matrix, Image.Resampling.BICUBIC)


def _frame(size: Size, degrees: float) -> tuple[Size, Matrix]:
    """The size of the frame around a picture of `size`, and the matrix from points of the frame to those of the
    picture. Rounds as Pillow does."""
    angle = math.radians(-degrees % 360)
    cosine, sine = round(math.cos(angle), 15), round(math.sin(angle), 15)
    width, height = size
    spin = (cosine, -sine, 0.0, sine, cosine, 0.0)
    spin = _moved(spin, -width / 2, -height / 2)
    spin = (*spin[:2], spin[2] + width / 2, *spin[3:5], spin[5] + height / 2)
    corners = [_mapped(spin, x, y) for x, y in ((0, 0), (width, 0), (width, height), (0, height))]
    xs, ys = zip(*corners, strict=True)
    frame = (math.ceil(max(xs)) - math.floor(min(xs)), math.ceil(max(ys)) - math.floor(min(ys)))
    return frame, _moved(spin, (width - frame[0]) / 2, (height - frame[1]) / 2)


def _window(box: Box, size: Size, most: Pixels) -> tuple[Pixels, Box]:
    """The whole pixels that resampling `box` to `size` reads, none of them beyond `most`, and the box within them."""
    x = support_pixels(box[2] - box[0], size[0])
    y = support_pixels(box[3] - box[1], size[1])
    window = (
        max(most[0], math.floor(box[0]) - x),
        max(most[1], math.floor(box[1]) - y),
        min(most[2], math.ceil(box[2]) + x),
        min(most[3], math.ceil(box[3]) + y),
    )
    return window, within(box, window)


def _part(matrix: Matrix, window: Size, picture: Size) -> Pixels:
    """The whole pixels of a picture that show in a window of that size: a box around the window's corners."""
    corners = [_mapped(matrix, x, y) for x in (0, window[0]) for y in (0, window[1])]
    xs, ys = zip(*corners, strict=True)
    left = min(max(0, math.floor(min(xs)) - _BICUBIC_PIXELS), picture[0])
    top = min(max(0, math.floor(min(ys)) - _BICUBIC_PIXELS), picture[1])
    right = max(left, min(picture[0], math.ceil(max(xs)) + _BICUBIC_PIXELS))
    bottom = max(top, min(picture[1], math.ceil(max(ys)) + _BICUBIC_PIXELS))
    return left, top, right, bottom


def _mapped(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + b * y + c, d * x + e * y + f


def _moved(matrix: Matrix, x: float, y: float) -> Matrix:
    """The matrix for points that are given from (x, y) on."""
    a, b, _, d, e, _ = matrix
    return (a, b, _mapped(matrix, x, y)[0], d, e, _mapped(matrix, x, y)[1])


def _from(matrix: Matrix, part: Pixels) -> Matrix:
    """The matrix to points that are counted from the corner of `part` on."""
    a, b, c, d, e, f = matrix
    return (a, b, c - part[0], d, e, f - part[1])
