"""How much memory drawing one output takes beside the decoded picture: every picture of every step has its size here.

The steps are those of `imaging.pipeline`, in its order; each is a number of bytes per pixel.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from quickthumb.imaging.decoding_memory import picture_bytes
from quickthumb.imaging.formats import Encoder
from quickthumb.imaging.geometry import Plan
from quickthumb.imaging.orientation import Size
from quickthumb.imaging.resampling import support_pixels
from quickthumb.imaging.slant import Window
from quickthumb.model.output import Output

# A weight of the resampler, in its two forms; Lanczos3 has up to seven for each pixel of a side.
_WEIGHT_BYTES, _WEIGHTS = 10, 7
_RGBA = 4

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Drawing:
    """One output that is to be drawn from a decoded picture at `scale` of its full size.

    `pixel_bytes` and `has_alpha` are those of the decoded picture. `converts` says that colors may have to be
    converted, `turns` that the picture may have to be turned. `window` is that of a slanted picture.
    """

    output: Output
    plan: Plan
    encoder: Encoder
    whole: Size
    scale: float
    pixel_bytes: int
    has_alpha: bool
    converts: bool
    turns: bool
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """The most bytes that drawing takes, those of the cut that is kept for the next output, and those of the result if
    that is another picture. `pixel_bytes` and `has_alpha` are those of the result."""

    most: int
    cut: int
    result: int
    pixel_bytes: int
    has_alpha: bool


def drawing_bytes(drawing: Drawing) -> Drawn:
    """The bytes that drawing takes, beside the decoded picture and the levels."""
    most, cut, now, pixel_bytes, has_alpha = _cut_slanted(drawing) if drawing.window else _cut(drawing)
    size = drawing.plan.size
    for between, made in _steps(drawing, pixel_bytes, has_alpha):
        most = max(most, cut + now + picture_bytes(size, between + made))
        now, pixel_bytes = picture_bytes(size, made), made
    canvas, pixels = drawing.plan.canvas, picture_bytes(drawing.plan.canvas, 1)
    if canvas != size:
        most = max(most, cut + now + picture_bytes(size, _RGBA) + picture_bytes(canvas, _RGBA + 1 + _RGBA))
        now, pixel_bytes, has_alpha = _RGBA * pixels, _RGBA, True
    if has_alpha:
        flattens = not drawing.encoder.alpha or (drawing.window and drawing.output.background)
        grounds = 2 * _RGBA if flattens else 0
        most = max(most, cut + now + (grounds or 1 + _RGBA) * pixels)
        now, has_alpha = max(now, _RGBA * pixels if flattens else 0), not flattens
    return Drawn(most, cut, now, pixel_bytes, has_alpha)


def _resampling_bytes(picture: Pair, region: Pair, size: Size, pixel_bytes: int, has_alpha: bool) -> int:
    """The bytes that resampling a `region` of that width and height of a `picture` to `size` takes, with the result."""
    made = picture_bytes(size, pixel_bytes)
    if region == size or 0 in size:
        return made
    width, height = region
    rows = (size[0], height + 2 * support_pixels(height, size[1]))
    weights = (max(width, size[0]) + max(height, size[1])) * _WEIGHTS * _WEIGHT_BYTES
    # All of the picture is premultiplied, or a region of less than half of it once it is cut out.
    premultiplied = min(picture_bytes(picture, _RGBA), 2 * picture_bytes(region, _RGBA)) if has_alpha else 0
    # The premultiplied result is converted when the rest is free again.
    return int(made + max(premultiplied + picture_bytes(rows, pixel_bytes) + weights, made if has_alpha else 0))


def _cut(drawing: Drawing) -> tuple[int, int, int, int, bool]:
    plan, pixel_bytes = drawing.plan, drawing.pixel_bytes
    region = _scaled(plan.region_size, drawing.scale)
    picture = _scaled((plan.part[2] - plan.part[0], plan.part[3] - plan.part[1]), drawing.scale)
    is_copied = picture != _scaled(drawing.whole, drawing.scale) and region != plan.size
    copy = picture_bytes(picture, pixel_bytes) if is_copied else 0
    cut = picture_bytes(plan.size, pixel_bytes)
    turned = cut if drawing.turns else 0
    most = copy + _resampling_bytes(picture, region, plan.size, pixel_bytes, drawing.has_alpha)
    return max(most, cut + turned), cut, turned, pixel_bytes, drawing.has_alpha


def _cut_slanted(drawing: Drawing) -> tuple[int, int, int, int, bool]:
    window, pixel_bytes, size = drawing.window, drawing.pixel_bytes, drawing.plan.size
    assert window is not None  # noqa: S101 - the caller asks only for slanted pictures
    shrink = drawing.whole[0] / window.shrunk[0], drawing.whole[1] / window.shrunk[1]
    part = window.part_size
    region = (part[0] * shrink[0] * drawing.scale, part[1] * shrink[1] * drawing.scale)
    cut = picture_bytes(part, pixel_bytes)
    colors, frame = picture_bytes(part, _RGBA), picture_bytes(window.size, _RGBA)
    most = max(
        _resampling_bytes(_scaled(drawing.whole, drawing.scale), region, part, pixel_bytes, drawing.has_alpha),
        cut * (2 if drawing.turns else 1)
        + colors * (2 if drawing.converts else 1)
        + (2 * colors if pixel_bytes == 1 else 0),
        cut + 2 * colors + frame,
        cut + colors + 2 * frame,
    )
    mirrored = 2 * frame if drawing.output.flip or drawing.output.flop else frame
    box = (window.box[2] - window.box[0], window.box[3] - window.box[1])
    most = max(most, cut + mirrored + _resampling_bytes(window.size, box, size, _RGBA, True))
    return most, cut, picture_bytes(size, _RGBA), _RGBA, True


def _steps(drawing: Drawing, pixel_bytes: int, has_alpha: bool) -> Iterator[tuple[int, int]]:
    """What each step that is asked for takes in between, and what it makes; in bytes per pixel."""
    output = drawing.output
    if drawing.converts and not drawing.window:
        yield (2 * _RGBA if pixel_bytes == 1 else 1), pixel_bytes
    if output.grayscale and pixel_bytes != 1:
        yield (2, _RGBA) if has_alpha else (0, 1)
        pixel_bytes = _RGBA if has_alpha else 1
    if (output.brightness, output.contrast) != (1, 1):
        yield 0, pixel_bytes
    if output.saturation != 1 and pixel_bytes != 1:
        yield _RGBA + 1, pixel_bytes
    if output.blur is not None:
        yield (2 * _RGBA if has_alpha else pixel_bytes), pixel_bytes
    if output.sharpen is not None:
        yield (3 * _RGBA if has_alpha else pixel_bytes), pixel_bytes


def _scaled(size: Pair, scale: float) -> Pair:
    return size[0] * scale, size[1] * scale
