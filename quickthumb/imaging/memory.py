"""Estimates from an image's header how much memory a job will take; a worker's budget counts this before it starts one.

The estimate is an upper bound for every picture of every step, for what the codecs take for each pixel, and for the
metadata. It leaves out what Python, Pillow and the codecs take for any picture, however small.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from quickthumb.imaging.decoders import decoding, opened
from quickthumb.imaging.decoding_memory import decoding_bytes, picture_bytes
from quickthumb.imaging.drawing_memory import Drawing, Drawn, drawing_bytes
from quickthumb.imaging.encoding_memory import encoding_bytes
from quickthumb.imaging.formats import Encoder, Format, named, opened_as
from quickthumb.imaging.formats.jpeg import EXTENDED_XMP
from quickthumb.imaging.geometry import Plan, plan, rotated_size
from quickthumb.imaging.hdr import gain_map, map_memory, stored_map
from quickthumb.imaging.levels import FEED_MARGIN, SMALL_PIXELS, draft_scale
from quickthumb.imaging.metadata.xmp import MOST_NODES
from quickthumb.imaging.orientation import UPRIGHT, Size, by_degrees, mirroring
from quickthumb.imaging.rendition import choose
from quickthumb.imaging.slant import plan_window
from quickthumb.imaging.source import count_frames, read_code_points
from quickthumb.imaging.stored import Stored, told_by, usual, worst_of
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output

# A profile or an XMP block as it is read, as it is assembled, and as it is passed to the code that parses it.
_BLOCK_COPIES = 4
# libheif copies the file that pi-heif has read, and the data of each picture in it.
_FILE_COPIES = {"heif": 3}
# Each entry of an EXIF block becomes an object of Python's. Of an AVIF that is turned, Pillow writes EXIF anew, for
# which each number becomes one.
_EXIF_COPIES, _NUMBERS_COPIES = 16, 48
# An element of XMP becomes an object with a dictionary and a list; the shortest has four letters.
_ELEMENT_BYTES, _ELEMENT_LETTERS = 600, 4
# All levels together, compared with the largest: each has that many times fewer pixels than the next larger one.
_LEVELS_SHARE = 1 / (FEED_MARGIN**2 - 1)


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
    with decoding():
        stored = told_by(image, row, frames, read_code_points(source, row))
        if row.decoder.compose:
            stored = replace(stored, has_key=row.decoder.compose(source, image.size, frames, False).has_alpha)
    if any(output.hdr == "keep" for output in outputs):
        found, _ = gain_map.find(image, source)
        stored = replace(stored, gain_map=stored_map.told_by(found.spot) if found and found.spot else None)
    # A TIFF is mapped into memory, others are read.
    whole = row.decoder.reads_whole or row.name == "tiff"
    content = source.stat().st_size * _FILE_COPIES.get(row.name, 1) if whole else 0
    return _metadata_bytes(image) + content + _estimate(stored, outputs)


def estimate_decode_bytes(
    *,
    format: str,  # noqa: A002 - the name that facts and headers use
    width: int,
    height: int,
    outputs: Sequence[Output],
    frames: int = 1,
    progressive: bool = False,
    worst: bool = False,
) -> int:
    """The most bytes that are taken at any one time while those outputs are rendered, without metadata.

    `format`, `width`, `height` (in pixels, upright), `frames` and, for a JPEG, `progressive` (several scans, of any
    kind) come from the source's header. What they do not tell, such as transparency, counts as usual; or if `worst` is
    true, as the worst that it can be, the orientation among it.
    """
    facts = (format, width, height, frames)
    return _estimate((worst_of if worst else usual)(*facts, in_scans=progressive), outputs)


def _metadata_bytes(image: Image.Image) -> int:
    blocks = {key: value for key, value in image.info.items() if isinstance(value, bytes | str)}
    exif = len(blocks.pop("exif", b""))
    contents = [content for _, content in getattr(image, "applist", ())]
    segments = sum(map(len, contents))
    extended = sum(len(content) for content in contents if content.startswith(EXTENDED_XMP))
    elements = sum(min(size // _ELEMENT_LETTERS, MOST_NODES) for size in (len(blocks.get("xmp", b"")), extended))
    copies = _NUMBERS_COPIES if image.format == "AVIF" else _EXIF_COPIES
    kept = (sum(map(sys.getsizeof, blocks.values())) + segments) * _BLOCK_COPIES
    return exif * copies + elements * _ELEMENT_BYTES + kept


def _estimate(stored: Stored, outputs: Sequence[Output]) -> int:
    is_animated = stored.frames > 1
    if is_animated and all(output.frames == "first" or not _chosen(stored, output)[1].animation for output in outputs):
        stored = replace(stored, frames=1)
    size = stored.shown or (stored.width, stored.height)
    ways = {stored.upright} if stored.upright else {size, size[::-1]}
    return max(_estimate_way(stored, way, outputs) for way in ways)


def _estimate_way(stored: Stored, upright: Size, outputs: Sequence[Output]) -> int:
    """The estimate for a picture that is of size `upright` once it stands upright."""
    try:
        plans = [plan(_turned(upright, output), output) for output in outputs]
    except InvalidParameter:  # a crop fits only the other way, or neither, which rendering reports
        return 0
    size = (stored.width, stored.height)
    draft = draft_scale([planned.shrink for planned in plans], size) if _is_drafted(stored) else 1
    most, decoded = decoding_bytes(stored, draft)
    drawings = [
        _drawing(stored, upright, output, planned, draft) for output, planned in zip(outputs, plans, strict=True)
    ]
    drawn = [drawing_bytes(drawing) for drawing in drawings]
    levels = [_level_bytes(drawing) for drawing in drawings]
    for drawing, one, own in zip(drawings, drawn, levels, strict=True):
        others = _kept_levels(stored, draft, sum(levels) - own, len(levels) - 1)
        encoding = one.cut + one.picture + _encoding_bytes(stored, drawing, one) + _map_bytes(stored, drawing, one)
        most = max(most, decoded + others + max(one.most, encoding))
    return most + sum(_animation_bytes(stored, drawing, one) for drawing, one in zip(drawings, drawn, strict=True))


def _is_drafted(stored: Stored) -> bool:
    return named(stored.format).decoder.load_at_scale is not None


def _turned(upright: Size, output: Output) -> Size:
    quarters = by_degrees(output.rotate)
    return quarters.size(upright) if quarters else rotated_size(upright, output.rotate)


def _drawing(stored: Stored, upright: Size, output: Output, planned: Plan, draft: int) -> Drawing:
    _, encoder = _chosen(stored, output)
    quarters, mirror = by_degrees(output.rotate), mirroring(output.flip, output.flop)
    window = None
    if quarters is None:
        size = _turned(upright, output)
        window = plan_window(upright, output.rotate, mirror, size, planned.region, planned.size, planned.part)
    return Drawing(
        output=output,
        plan=planned,
        encoder=encoder,
        whole=_turned(upright, output) if window is None else upright,
        scale=1 / draft,
        pixel_bytes=stored.pixel_bytes,
        has_alpha=stored.has_alpha,
        converts=stored.has_profile,
        turns=stored.may_turn or bool(quarters and quarters.then(mirror) != UPRIGHT),
        window=window,
    )


def _chosen(stored: Stored, output: Output) -> tuple[Format, Encoder]:
    slanted = by_degrees(output.rotate) is None
    animated = stored.frames > 1 and output.frames == "all"
    return choose(output, named(stored.format), stored.has_alpha or slanted, animated)


def _frames(stored: Stored, drawing: Drawing) -> int:
    """How many frames the result has."""
    return stored.frames if drawing.output.frames == "all" and drawing.encoder.animation else 1


def _level_bytes(drawing: Drawing) -> int:
    """The bytes of the level that a drawing leaves to others, if it leaves one."""
    window, planned = drawing.window, drawing.plan
    size = window.shrunk if window else planned.size
    if not window and planned.region != (0, 0, *drawing.whole):
        return 0
    return 0 if size[0] >= drawing.whole[0] else picture_bytes(size, drawing.pixel_bytes)


def _kept_levels(stored: Stored, draft: int, levels: int, count: int) -> int:
    """What all levels take: those of nearly equal sizes are kept once."""
    decoded = picture_bytes((stored.width / draft, stored.height / draft), stored.pixel_bytes)
    return min(levels, int(decoded * _LEVELS_SHARE) + count * SMALL_PIXELS * stored.pixel_bytes)


def _encoding_bytes(stored: Stored, drawing: Drawing, drawn: Drawn) -> int:
    chosen, _ = _chosen(stored, drawing.output)
    pixels, frames = math.prod(drawing.plan.canvas), _frames(stored, drawing)
    is_gray, has_alpha = drawn.pixel_bytes == 1, drawn.has_alpha
    return encoding_bytes(
        drawing.output,
        chosen.name,
        pixels,
        frames,
        is_gray=is_gray,
        has_alpha=has_alpha,
        from_palette=stored.likely_mode == "P" or not stored.mode,
    )


def _map_bytes(stored: Stored, drawing: Drawing, drawn: Drawn) -> int:
    """What a gain map takes that the result keeps; with it, the file is there twice while both are put together."""
    chosen, _ = _chosen(stored, drawing.output)
    if stored.gain_map is None or drawing.output.hdr != "keep" or chosen.name != "jpeg":
        return 0
    return map_memory.map_bytes(stored.gain_map, drawing.plan) + _encoding_bytes(stored, drawing, drawn)


def _animation_bytes(stored: Stored, drawing: Drawing, drawn: Drawn) -> int:
    """The frames of an animation, which are kept until the last one is drawn."""
    frames = _frames(stored, drawing)
    return frames * picture_bytes(drawing.plan.canvas, drawn.pixel_bytes) if frames > 1 else 0
