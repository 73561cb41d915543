"""How much memory drawing one output takes beside the decoded picture: every picture of every step has its size here.

The steps are those of `imaging.pipeline`, in its order; each is a number of bytes per pixel.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

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
    """What drawing takes, as far as it has come, in bytes.

    `most` is what it has taken at any one time. `cut` is the picture that was cut from the decoded one, which is kept
    for the next output; `picture` is what was made of it since, 0 if nothing was. `pixel_bytes` and `has_alpha` are
    those of the newest picture.
    """

    most: int
    cut: int
    picture: int
    pixel_bytes: int
    has_alpha: bool


def drawing_bytes(drawing: Drawing) -> Drawn:
    """What drawing an output takes, beside the decoded picture and the levels."""
    drawn = _cut_slanted(drawing) if drawing.window else _cut(drawing)
    for between, made in _steps(drawing, drawn):
        picture = picture_bytes(drawing.plan.size, made)
        most = drawn.cut + drawn.picture + picture + picture_bytes(drawing.plan.size, between)
        drawn = replace(drawn, most=max(drawn.most, most), picture=picture, pixel_bytes=made)
    padded = _padded(drawing, drawn)
    # The step before keeps its picture until padding and flattening are both done.
    return _flattened(drawing, padded, 0 if padded is drawn else drawn.picture)


def _padded(drawing: Drawing, drawn: Drawn) -> Drawn:
    """After padding: the picture with transparency, and the canvas."""
    size, canvas = drawing.plan.size, drawing.plan.canvas
    if canvas == size:
        return drawn
    most = drawn.cut + drawn.picture + picture_bytes(size, _RGBA) + picture_bytes(canvas, _RGBA)
    return replace(
        drawn, most=max(drawn.most, most), picture=picture_bytes(canvas, _RGBA), pixel_bytes=_RGBA, has_alpha=True
    )


def _flattened(drawing: Drawing, drawn: Drawn, before: int) -> Drawn:
    """After flattening, if that is needed: the ground, and the picture on it. Then alpha is looked at, and if nothing
    is transparent, a picture without it is made."""
    if not drawn.has_alpha:
        return drawn
    flattens = not drawing.encoder.alpha or bool(drawing.window and drawing.output.background)
    opaque = picture_bytes(drawing.plan.canvas, _RGBA)
    beside = 2 * opaque if flattens else opaque + picture_bytes(drawing.plan.canvas, 1)
    picture = max(drawn.picture, opaque) if flattens else drawn.picture
    most = max(drawn.most, drawn.cut + before + drawn.picture + beside)
    return replace(drawn, most=most, picture=picture, has_alpha=not flattens)


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


def _cut(drawing: Drawing) -> Drawn:
    plan, pixel_bytes = drawing.plan, drawing.pixel_bytes
    region = _scaled(plan.region_size, drawing.scale)
    picture = _scaled((plan.part[2] - plan.part[0], plan.part[3] - plan.part[1]), drawing.scale)
    is_copied = picture != _scaled(drawing.whole, drawing.scale) and region != plan.size
    copy = picture_bytes(picture, pixel_bytes) if is_copied else 0
    cut = picture_bytes(plan.size, pixel_bytes)
    turned = cut if drawing.turns else 0
    most = copy + _resampling_bytes(picture, region, plan.size, pixel_bytes, drawing.has_alpha)
    return Drawn(max(most, cut + turned), cut, turned, pixel_bytes, drawing.has_alpha)


def _cut_slanted(drawing: Drawing) -> Drawn:
    """The part that shows is cut, turned, converted, premultiplied and slanted into the window; the window is mirrored
    and resampled."""
    window, pixel_bytes, size = drawing.window, drawing.pixel_bytes, drawing.plan.size
    assert window is not None  # noqa: S101 - the caller asks only for slanted pictures
    part, whole = window.part_size, _scaled(drawing.whole, drawing.scale)
    region = (part[0] * whole[0] / window.shrunk[0], part[1] * whole[1] / window.shrunk[1])
    cut, colors = picture_bytes(part, pixel_bytes), picture_bytes(part, _RGBA)
    frame = picture_bytes(window.size, _RGBA)
    turned = cut if drawing.turns else 0
    converted = (colors if drawing.converts else 0) + (2 * colors if pixel_bytes == 1 else 0)
    mirrored = frame if drawing.output.flip or drawing.output.flop else 0
    box = (window.box[2] - window.box[0], window.box[3] - window.box[1])
    most = max(
        _resampling_bytes(whole, region, part, pixel_bytes, drawing.has_alpha),
        cut + turned + converted + colors,
        cut + 2 * colors + frame,
        cut + colors + 2 * frame,
        cut + frame + mirrored + _resampling_bytes(window.size, box, size, _RGBA, True),
    )
    return Drawn(most, cut, picture_bytes(size, _RGBA), _RGBA, True)


def _steps(drawing: Drawing, drawn: Drawn) -> Iterator[tuple[int, int]]:
    """What each step that is asked for takes in between, and what it makes; in bytes per pixel."""
    output, pixel_bytes, has_alpha = drawing.output, drawn.pixel_bytes, drawn.has_alpha
    if drawing.converts and not drawing.window:
        yield (2 * _RGBA if pixel_bytes == 1 else 1), pixel_bytes
    if output.grayscale and pixel_bytes != 1:
        pixel_bytes = _RGBA if has_alpha else 1
        yield (2 if has_alpha else 0), pixel_bytes
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
