"""How much memory a job will take, from its header alone: what a worker's budget counts before it lets a job start.

An estimate from above, of the pictures only: what Python, Pillow and the codecs take by themselves is not in it.
"""

from collections.abc import Sequence

from quickthumb.imaging.formats import FORMATS
from quickthumb.imaging.geometry import Plan, plan, rotated_size
from quickthumb.imaging.levels import draft_scale
from quickthumb.imaging.orientation import Size, by_degrees
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.output import Output

# Pillow keeps every picture, but grey ones, in four bytes a pixel.
_PIXEL_BYTES = 4
# libjpeg keeps a progressive picture whole as coefficients: two bytes for each of up to three samples a pixel.
_COEFFICIENT_BYTES = 6
# The decoder's own picture or the frame before, the one made of it, and one premultiplied or without its palette.
_COPIES = 3
# These decoders keep the frame before, and hand their picture over as bytes.
_MORE_COPIES = {"webp": 4, "avif": 4, "heif": 4, "gif": 4}
# A result as made, and once more on its way into the encoder.
_RESULT_COPIES = 2


def estimate_decode_bytes(
    *,
    format: str,  # noqa: A002 - the word that facts and headers have for it
    width: int,
    height: int,
    outputs: Sequence[Output],
    frames: int = 1,
    progressive: bool = False,
) -> int:
    """The most bytes that rendering those outputs keeps in pictures at one time.

    `format`, `width`, `height` (in pixels, as stored or upright), `frames` and, of a JPEG, `progressive` are what the
    source's header tells. Frames are decoded one at a time; those of results are kept until they are encoded.
    """
    plans = [_plan((width, height), output) for output in outputs]
    results = 0
    for output, planned in zip(outputs, plans, strict=True):
        kept = frames if output.frames == "all" and _may_animate(output) else 1
        pixels = max(planned.canvas[0] * planned.canvas[1], planned.size[0] * planned.size[1])
        results += pixels * kept * _PIXEL_BYTES * _RESULT_COPIES
    if format != "jpeg":
        return width * height * _PIXEL_BYTES * _MORE_COPIES.get(format, _COPIES) + results
    scale = draft_scale([planned.shrink for planned in plans])
    decoded = -(-width // scale) * -(-height // scale) * _PIXEL_BYTES
    return decoded + results + (width * height * _COEFFICIENT_BYTES if progressive else 0)


def _plan(size: Size, output: Output) -> Plan:
    """The plan for the picture lying either way, as the header may not tell which: the one that shrinks it less."""
    quarters = by_degrees(output.rotate)
    size = size if quarters else rotated_size(size, output.rotate)
    plans = []
    for way in (size, size[::-1]):
        try:
            plans.append(plan(way, output))
        except InvalidParameter:  # a crop that fits only the other way, or neither, which rendering will tell
            plans.append(Plan((0, 0, *way), (0, 0, *way), way, way))
    return min(plans, key=lambda planned: planned.shrink)


def _may_animate(output: Output) -> bool:
    return output.format == "auto" or FORMATS[output.format].animation
