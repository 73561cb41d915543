"""How much memory a job will take, from its header alone: what a worker's budget counts before it lets a job start.

An estimate from above, of the pictures and their metadata: what Python, Pillow and the codecs take by themselves is not
in it.
"""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from quickthumb.imaging.decoders import decoding, opened
from quickthumb.imaging.formats import WRITTEN, named, opened_as
from quickthumb.imaging.geometry import Plan, plan, rotated_size
from quickthumb.imaging.levels import draft_scale
from quickthumb.imaging.orientation import Size, by_degrees
from quickthumb.imaging.source import count_frames
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output

# Pillow keeps every picture, but gray ones, in four bytes a pixel.
_PIXEL_BYTES = 4
# libjpeg keeps a progressive picture whole as coefficients: two bytes for each of up to three samples a pixel.
_COEFFICIENT_BYTES = 6
# A result as made, and once more on its way into the encoder.
_RESULT_COPIES = 2
# A profile, text or EXIF block as read, put together, and handed over to those who look into it.
_METADATA_COPIES = 4


def estimate_file_bytes(source: Path, outputs: Sequence[Output], limits: Limits) -> int:
    """What `estimate_decode_bytes` says of a file, whose header is read and nothing decoded; and its metadata.

    Raises what rendering would raise at the header: UnsupportedImage, BrokenImage, TooManyPixels, TooManyFrames.
    """
    with opened(source, limits) as image:
        row = opened_as(image.format)
        with decoding():
            frames = count_frames(image, row, source, limits)
        beside = source.stat().st_size if row.decoder.reads_whole else _metadata_bytes(image)
        return beside * _METADATA_COPIES + estimate_decode_bytes(
            format=row.name,
            width=image.width,
            height=image.height,
            outputs=outputs,
            frames=frames,
            progressive="progressive" in image.info,
        )


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
    decoder = named(format).decoder
    if decoder.load_at_scale is None:
        return width * height * _PIXEL_BYTES * decoder.copies + results
    scale = draft_scale([planned.shrink for planned in plans])
    decoded = -(-width // scale) * -(-height // scale) * _PIXEL_BYTES
    return decoded + results + (width * height * _COEFFICIENT_BYTES if progressive else 0)


def _metadata_bytes(image: Image.Image) -> int:
    blocks = (value for value in image.info.values() if isinstance(value, bytes | str))
    return sum(map(len, blocks))


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
    encoder = None if output.format == "auto" else WRITTEN[output.format].encoder
    return encoder is None or encoder.animation
