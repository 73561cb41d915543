"""Draws the gain map for a result: the same part of it, turned alike, at the same ratio to the picture as before.

What says how to apply the map stays byte for byte.
"""

import io
import math
from collections.abc import Callable

from PIL import Image

from quickthumb.imaging.decoders import check_pixels, decoding
from quickthumb.imaging.formats.jpeg import JPEG, OWN_TABLES_PIXELS, XMP
from quickthumb.imaging.formats.watch import Watch, check_file
from quickthumb.imaging.formats.window import Seeking
from quickthumb.imaging.hdr import packet
from quickthumb.imaging.hdr.gain_map import Spot
from quickthumb.imaging.hdr.hdr_file import Companion, with_metadata
from quickthumb.imaging.hdr.obstacles import DAMAGED, TELLS_MORE, TOO_LARGE
from quickthumb.imaging.hdr.packet import NotReadable
from quickthumb.imaging.hdr.scale import drafted, drawn_size
from quickthumb.imaging.hdr.segments import APP0, APP1, START_OF_IMAGE, head, written
from quickthumb.imaging.levels import box_at, within
from quickthumb.imaging.orientation import Box
from quickthumb.imaging.rendition import Rendition
from quickthumb.imaging.resampling import resample
from quickthumb.imaging.scratch import scratch
from quickthumb.model.errors import BrokenImage, QuickThumbError
from quickthumb.model.limits import Limits

# The least quality of a map: applying it multiplies its errors.
LEAST_QUALITY = 85
# Says in which colors the samples of a JPEG are.
_ADOBE = 0xEE
_ALMOST = 1e-6

Pair = tuple[float, float]


class CannotKeep(Exception):
    """The map does not decode, is too large, or tells too much. The message is the warning for the receipt."""


def draw(spot: Spot, rendition: Rendition, limits: Limits, checkpoint: Callable[[], None]) -> Companion:
    """The map for a rendition that keeps it. Raises CannotKeep. Calls `checkpoint` before each step."""
    checkpoint()
    try:
        picture = _decoded(_plain_jpeg(spot), spot, rendition, limits)
    except QuickThumbError:  # whatever is wrong with it, the picture is not to blame
        raise CannotKeep(DAMAGED) from None
    checkpoint()
    jpeg = _encoded(picture, max(LEAST_QUALITY, rendition.output.quality or 0))
    whole = with_metadata(jpeg, _told(spot, everything=rendition.output.metadata == "keep"))
    most_bytes = rendition.output.max_bytes
    if most_bytes is not None and len(whole) > most_bytes // 2:  # the picture comes first
        raise CannotKeep(TOO_LARGE)
    return Companion(whole, spot.base_metadata, spot.in_xmp, spot.apple_note)


def _plain_jpeg(spot: Spot) -> bytes:
    """The JPEG of a map without its metadata, so that nothing is parsed of it but the picture. Raises BrokenImage."""
    offset, length = spot.place
    with spot.path.open("rb") as file:
        file.seek(offset)
        data = file.read(length)
    pieces, end = [START_OF_IMAGE], len(START_OF_IMAGE)
    for segment in head(Seeking(io.BytesIO(data)), 0):
        if not segment.is_metadata or segment.marker in (APP0, _ADOBE):
            pieces.append(data[segment.start : segment.end])
        end = segment.end
    return b"".join((*pieces, data[end:]))


def _decoded(jpeg: bytes, spot: Spot, rendition: Rendition, limits: Limits) -> Image.Image:
    decoder = JPEG.decoder
    assert decoder.watch is not None and decoder.load_at_scale is not None  # noqa: S101, PT018 - a JPEG's has both
    check_file(io.BytesIO(jpeg), Watch(decoder.watch(limits)))
    with decoding(), Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        check_pixels(*image.size, 1, limits)
        if image.mode not in ("L", "RGB") or image.size != spot.size:
            raise BrokenImage("The image is damaged: its gain map is not what it seemed to be.")
        scale = decoder.load_at_scale(image, drafted(image.size, rendition.plan.shrink))
        return _cut(image, scale, spot, rendition)


def _cut(picture: Image.Image, drafted_to: Pair, spot: Spot, rendition: Rendition) -> Image.Image:
    """Cuts and turns a decoded map, which covers the whole stored picture, as the picture is cut and turned.

    Pixels that are partly outside the crop have some influence: a pixel of the map is as large as several of the
    picture, and without it the rest would be moved.
    """
    plan, turn, stored = rendition.plan, rendition.turn, rendition.stored
    region, part = (turn.source_box(box, rendition.upright) for box in (plan.region, plan.part))
    scale = (spot.size[0] * drafted_to[0] / stored[0], spot.size[1] * drafted_to[1] / stored[1])
    pixels = _around(box_at(part, scale, picture.size))
    box = within(box_at(region, scale, picture.size), pixels)
    return turn.apply(resample(picture.crop(pixels), drawn_size(turn.size(plan.size), spot.size, stored), box))


def _encoded(picture: Image.Image, quality: int) -> bytes:
    own_tables = picture.width * picture.height <= OWN_TABLES_PIXELS
    with scratch() as file:
        picture.save(file, "JPEG", quality=quality, subsampling=0, optimize=own_tables)
        file.seek(0)
        return file.read()


def _around(box: Box) -> tuple[int, int, int, int]:
    """The whole pixels of which a box has at least a part."""
    left, top = math.floor(box[0] + _ALMOST), math.floor(box[1] + _ALMOST)
    return left, top, max(left + 1, math.ceil(box[2] - _ALMOST)), max(top + 1, math.ceil(box[3] - _ALMOST))


def _told(spot: Spot, *, everything: bool) -> list[bytes]:
    """What says how to apply the map; without what else its XMP tells, unless the result keeps `everything`. Raises
    CannotKeep if the rest stands in places where no camera writes it."""
    return [segment if everything else _discreet(segment) for segment in spot.metadata]


def _discreet(segment: bytes) -> bytes:
    marker, told = segment[1], segment[4:].removeprefix(XMP)
    if marker != APP1:
        return segment
    try:
        less = packet.without(told, lambda namespace: namespace not in packet.OF_MAPS)
        if not packet.tells_only_of_maps(less):
            raise CannotKeep(TELLS_MORE)
    except NotReadable:
        return b""
    return segment if less == told else written(APP1, XMP + less)
