"""Estimates how much work an order asks for, and refuses an order that asks for more than one job may take.

The estimate needs no pixels, only what a header says, so the service refuses an order before it accepts the job. The
engine makes the same check once more with what only the opened file tells, such as the frames of an animation.

Work is CPU time of one core. The constants are measured, in nanoseconds per pixel, with contents that take long
(`benchmarks/order_cost.py` prints both): plain pictures take less. Where a header leaves something open, such as
transparency, the costlier case counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from quickthumb.imaging.formats import WRITTEN, Format, named
from quickthumb.imaging.geometry import Plan, plan, rotated_size
from quickthumb.imaging.memory import estimate_opened_bytes
from quickthumb.imaging.orientation import Size
from quickthumb.imaging.png_palettes import MOST_CHOSEN_PIXELS
from quickthumb.imaging.source import Source
from quickthumb.model.errors import InvalidParameter, OrderTooLarge
from quickthumb.model.limits import Limits
from quickthumb.model.order import check_count
from quickthumb.model.output import Output

_SECONDS = 1e-9
# Decoding, for each pixel of the source; the others are AVIF, and any format that is not listed. A progressive JPEG
# takes another pass for each of its scans.
_DECODE = {"jpeg": 25, "png": 80, "webp": 90, "gif": 60, "tiff": 90, "bmp": 30, "ico": 80, "heif": 180}
_DECODE_PROGRESSIVE, _DECODE_OTHERS = 60, 250
# Resampling, for each pixel that it reads and each that it makes.
_READ, _MADE = 4.5, 12
# The other steps, for each pixel of a result. Any source may need its color converted, one in CMYK the most.
_COLOR, _COLOR_CMYK, _PLACE = 30, 100, 25
_SLANT, _BLUR, _SHARPEN, _TONE = 500, 60, 90, 20
# Encoding, for each pixel of a result, and what transparency multiplies it by. Any format that is not listed counts as
# the costliest, AVIF.
_JPEG, _JPEG_FINE, _FINE_QUALITY = 12, 32, 90
_PNG, _GIF, _WEBP_LOSSLESS = 220, 400, 550
_WEBP, _WEBP_PER_QUALITY = 115, 1
_AVIF, _AVIF_PER_QUALITY = 260, 9.5
_ALPHA = {"png": 1.2, "webp": 1.9, "avif": 1.7}
# What an animation takes for each pixel, compared with a still: AVIF predicts most of a frame from others.
_ANIMATED = {"avif": 0.4}
# The quality that `max_bytes` begins with, and how many encodings its bisection may take after that: the second has
# half that quality, and those after it lie around it or below.
_BEST_QUALITY, _SEARCHES = 95, 7
# Choosing a palette, for each distinct color that it is chosen from, at most so many, and in a PNG for each pixel. A
# PNG that has grown gets a second one.
_CHOICE, _MOST_DISTINCT, _PNG_CHOICE, _PNG_CHOICES = 6000, 16_384, 600, 2
# What a frame of a result takes however small it is, one of a GIF more, and a whole job.
_FRAME_SECONDS, _GIF_FRAME_SECONDS, _JOB_SECONDS = 0.0015, 0.003, 0.01
# Formats whose pictures are never transparent, those that may hold CMYK, and those that may have a palette.
_OPAQUE, _MAY_BE_CMYK = ("jpeg",), ("jpeg", "tiff")
_MAY_HAVE_PALETTE = ("png", "gif", "bmp", "tiff", "ico")


# A job that is estimated to take more than this counts as long. Large jobs are those that are long or take more memory
# than this.
LONG_SECONDS = 4.0
LARGE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """What an order asks for: its number of outputs, the pixels of all their frames, and the work in seconds."""

    outputs: int
    pixels: int
    seconds: float

    @property
    def is_long(self) -> bool:
        return self.seconds > LONG_SECONDS

    def is_large(self, needed_bytes: int) -> bool:
        """Whether an order with this cost is large if it needs so much memory."""
        return self.is_long or needed_bytes > LARGE_BYTES


def estimate_cost(
    *,
    format: str,  # noqa: A002 - the name that facts and headers use
    size: Size,
    outputs: Sequence[Output],
    frames: int = 1,
    has_alpha: bool | None = None,
    progressive: bool = False,
    has_gain_map: bool = True,
    has_palette: bool | None = None,
    stored: Size | None = None,
) -> Cost:
    """The cost of making `outputs` from a source of that upright `size`, in pixels.

    `stored` is the size that is decoded if only a part of it is shown. `has_alpha` and `has_palette` are None while
    nobody knows whether the source is transparent, and whether it has a palette. `has_gain_map` is only false if it
    surely has no gain map that an output could keep; a map counts as large as the picture. An output that cannot be
    made from a source of that size costs nothing: rendering refuses it.
    """
    transparent = format not in _OPAQUE if has_alpha is None else has_alpha
    indexed = format in _MAY_HAVE_PALETTE if has_palette is None else has_palette
    source = _Facts(format, frames, transparent, indexed)
    per_pixel = _DECODE_PROGRESSIVE if progressive else _DECODE.get(format, _DECODE_OTHERS)
    decoded, pixels, seconds = 1, 0, _JOB_SECONDS
    for output in outputs:
        planned = _planned(size, output)
        if planned is None:
            continue
        count = frames if output.frames == "all" and source.may_animate(output) else 1
        decoded = max(decoded, count)
        canvas = _area(planned.canvas)
        pixels += max(canvas, _area(planned.size)) * count
        seconds += (
            (_drawing(planned, output, source) + canvas * _encoding(output, source, planned, count)) * _SECONDS * count
        )
        seconds += (_GIF_FRAME_SECONDS if source.result_format(output) == "gif" else _FRAME_SECONDS) * count
        seconds += _choosing(output, source, canvas, count) * _SECONDS
        if has_gain_map and output.hdr == "keep" and format == source.result_format(output) == "jpeg":
            seconds += (_area(size) * per_pixel + _area(planned.size) * (_READ + _MADE + _JPEG_FINE)) * _SECONDS
    return Cost(len(outputs), pixels, seconds + _area(stored or size) * decoded * per_pixel * _SECONDS)


def appraise(image: Image.Image, row: Format, source: Path, outputs: Sequence[Output], frames: int) -> tuple[int, Cost]:
    """The memory in bytes and the cost of rendering a file that is open already, and whose frames have been counted.
    Decodes nothing.

    Ignores the file's orientation: the cost tells large orders from small ones, and refuses none. Raises what
    `memory.estimate_opened_bytes` raises.
    """
    needed_bytes = estimate_opened_bytes(image, row, source, outputs, frames)
    return needed_bytes, estimate_cost(
        format=row.name,
        size=image.size,
        outputs=outputs,
        frames=frames,
        progressive="progressive" in image.info,
        has_palette=image.mode == "P",
    )


def check_source(source: Source, outputs: Sequence[Output]) -> None:
    """Raises OrderTooLarge as `check_cost` does, for outputs of an opened source."""
    cost = estimate_cost(
        format=source.format.name,
        size=source.upright,
        outputs=outputs,
        frames=source.frame_count,
        has_alpha=source.has_alpha,
        progressive="progressive" in source.info,
        has_gain_map=source.gain_map is not None,
        has_palette=source.has_palette,
        stored=source.image.size,
    )
    check_cost(cost, source.limits)


def check_cost(cost: Cost, limits: Limits) -> None:
    """Raises OrderTooLarge if an order asks for more outputs, pixels or work than one job may."""
    check_count(cost.outputs, limits.max_outputs)
    if cost.pixels > limits.max_output_pixels:
        raise OrderTooLarge(
            f"The outputs have {cost.pixels} pixels together; MAX_OUTPUT_PIXELS allows at most "
            f"{limits.max_output_pixels}."
        )
    if cost.seconds > limits.max_work_seconds:
        raise OrderTooLarge(
            f"Making the outputs would take about {cost.seconds:.3g} s; MAX_WORK_SECONDS allows at most "
            f"{limits.max_work_seconds:g}."
        )


def check_memory(needed_bytes: int, budget_bytes: int) -> None:
    """Raises OrderTooLarge if rendering would need more memory than all pictures of a worker may take together."""
    if needed_bytes > budget_bytes:
        raise OrderTooLarge(
            f"Rendering would need about {needed_bytes} bytes of memory; DECODE_BUDGET_BYTES allows at most "
            f"{budget_bytes}."
        )


@dataclass(frozen=True, slots=True)
class _Facts:
    format: str
    frames: int
    transparent: bool
    indexed: bool

    def result_format(self, output: Output) -> str:
        """The format of a result. For `auto`, the costliest that a source of this format may lead to."""
        if output.format != "auto":
            return output.format
        source = named(self.format)
        if source.encoder is None or (output.lossless and not source.encoder.lossless):
            return "webp" if self.transparent or self.frames > 1 or output.lossless else "jpeg"
        if output.max_bytes is not None and source.encoder.quality is None:
            return "webp" if self.transparent or self.frames > 1 else "jpeg"
        return self.format

    def may_animate(self, output: Output) -> bool:
        encoder = WRITTEN[self.result_format(output)].encoder
        return encoder is not None and encoder.animation


def _planned(size: Size, output: Output) -> Plan | None:
    if output.rotate % 90:
        size = rotated_size(size, output.rotate)
    elif output.rotate % 180:
        size = size[::-1]
    try:
        return plan(size, output)
    except InvalidParameter:
        return None


def _drawing(planned: Plan, output: Output, source: _Facts) -> float:
    """Nanoseconds for one frame of a result, before it is encoded."""
    width, height = planned.region_size
    made, canvas = _area(planned.size), _area(planned.canvas)
    color = _COLOR_CMYK if source.format in _MAY_BE_CMYK else _COLOR
    each = color + _MADE
    each += _SLANT if output.rotate % 90 else 0
    each += _BLUR if output.blur is not None else 0
    each += _SHARPEN if output.sharpen is not None else 0
    each += _TONE if (output.brightness, output.contrast, output.saturation) != (1, 1, 1) or output.grayscale else 0
    return width * height * _READ + made * each + canvas * _PLACE


def _encoding(output: Output, source: _Facts, planned: Plan, frames: int) -> float:
    """Nanoseconds for each pixel of a result of so many frames, for all the encodings that it takes."""
    name = source.result_format(output)
    encoder = WRITTEN[name].encoder
    padded = planned.canvas != planned.size or output.rotate % 90
    transparent = source.transparent or (padded and output.background is None)
    factor = (_ALPHA.get(name, 1) if transparent else 1) * (_ANIMATED.get(name, 1) if frames > 1 else 1)
    best = output.quality or (encoder.quality if encoder is not None else None) or _BEST_QUALITY
    if output.max_bytes is None:
        return factor * _once(name, best, output.lossless)
    best = output.quality or _BEST_QUALITY
    searches = min(_SEARCHES, math.ceil(math.log2(best)) + 1)
    return factor * (_once(name, best, False) + searches * _once(name, best // 2, False))


def _choosing(output: Output, source: _Facts, pixels: int, frames: int) -> float:
    """Nanoseconds for the palettes that are chosen for a result of so many pixels and frames."""
    each = _CHOICE * min(pixels * frames, _MOST_DISTINCT)
    name = source.result_format(output)
    if name == "gif":
        return each
    if name != "png" or not source.indexed or frames > 1 or output.lossless or pixels > MOST_CHOSEN_PIXELS:
        return 0
    return _PNG_CHOICES * each + _PNG_CHOICE * pixels


def _once(name: str, quality: int, lossless: bool) -> float:
    """Nanoseconds for each pixel of one encoding."""
    if name == "jpeg":
        return _JPEG_FINE if quality >= _FINE_QUALITY else _JPEG
    if name == "webp":
        return _WEBP_LOSSLESS if lossless else _WEBP + _WEBP_PER_QUALITY * quality
    if name in ("gif", "png"):
        return _GIF if name == "gif" else _PNG
    return _AVIF + _AVIF_PER_QUALITY * quality


def _area(size: Size) -> int:
    return size[0] * size[1]
