"""Estimates from an image's header how much memory a job will take; a worker's budget counts this before it starts one.

The estimate is an upper bound for the pictures and their metadata. It leaves out what Python, Pillow and the codecs
take for themselves.
"""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from quickthumb.imaging.decoders import decoding, opened
from quickthumb.imaging.formats import WRITTEN, Format, named, opened_as
from quickthumb.imaging.geometry import Plan, plan, rotated_size
from quickthumb.imaging.levels import draft_scale
from quickthumb.imaging.orientation import Size, by_degrees
from quickthumb.imaging.source import count_frames
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output

# Pillow stores each pixel in four bytes, except in grayscale pictures.
_PIXEL_BYTES = 4
# libjpeg keeps all coefficients of a progressive picture: two bytes for each of up to three samples per pixel.
_COEFFICIENT_BYTES = 6
# A result, and its copy on the way into the encoder.
_RESULT_COPIES = 2
# A profile, text or EXIF block as it is read, as it is assembled, and as it is passed to the code that parses it.
_METADATA_COPIES = 4


def estimate_file_bytes(source: Path, outputs: Sequence[Output], limits: Limits) -> int:
    """The estimate of `estimate_decode_bytes` for a file, plus its metadata. Reads the header and decodes nothing.

    Raises what rendering would raise at the header: UnsupportedImage, BrokenImage, TooManyPixels, TooManyFrames.
    """
    with opened(source, limits) as image:
        row = opened_as(image.format)
        with decoding():
            frames = count_frames(image, row, source, limits)
        return estimate_opened_bytes(image, row, source, outputs, frames)


def estimate_opened_bytes(image: Image.Image, row: Format, source: Path, outputs: Sequence[Output], frames: int) -> int:
    """The estimate of `estimate_file_bytes` for a file that is open already, and whose frames have been counted."""
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
    format: str,  # noqa: A002 - the name that facts and headers use
    width: int,
    height: int,
    outputs: Sequence[Output],
    frames: int = 1,
    progressive: bool = False,
) -> int:
    """The most bytes that pictures take at any one time while those outputs are rendered.

    `format`, `width`, `height` (in pixels, as stored or upright), `frames` and, for a JPEG, `progressive` come from the
    source's header. Frames are decoded one at a time; the frames of results are kept until they are encoded.
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
    """The plan for the picture upright or on its side, as the header may not tell: the one that shrinks it less."""
    quarters = by_degrees(output.rotate)
    size = size if quarters else rotated_size(size, output.rotate)
    plans = []
    for way in (size, size[::-1]):
        try:
            plans.append(plan(way, output))
        except InvalidParameter:  # the crop fits only the other way, or neither, which rendering reports
            plans.append(Plan((0, 0, *way), (0, 0, *way), way, way))
    return min(plans, key=lambda planned: planned.shrink)


def _may_animate(output: Output) -> bool:
    encoder = None if output.format == "auto" else WRITTEN[output.format].encoder
    return encoder is None or encoder.animation
