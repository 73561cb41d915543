"""AVIF and HEIF: nested boxes (ISO 14496-12) that hold, among others, the properties of all items (ISO 23008-12).

The primary item is the picture that viewers show. Its properties give its size, the part of it that is to be shown, and
its orientation; like the decoders, this ignores EXIF, which must not contradict them. What else a decoder reads to show
it is checked with the whole file at hand (`coded_items`).
"""

from collections.abc import Iterator
from itertools import islice

from quickthumb.imaging.formats import items
from quickthumb.imaging.formats.aperture import APERTURE_BYTES, read_aperture
from quickthumb.imaging.formats.boxes import FLAGS_BYTES, Box, boxes, child, children
from quickthumb.imaging.formats.coded_items import check_kind, size_of
from quickthumb.imaging.formats.row import Header
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage, UnsupportedImage

SIGNATURE = b"????ftyp"

AVIF_BRANDS = frozenset({b"avif", b"avis"})
HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
SHORT = b"mif3"
LONGEST_BRANDS_BYTES = 1024
MOST_TRACKS = 16

# The EXIF orientation that equals a rotation (in quarter turns, counterclockwise) followed by a mirroring: none, top to
# bottom (axis 0), or left to right (axis 1). As in Pillow and libavif.
ORIENTATIONS = ((1, 4, 2), (8, 5, 7), (3, 2, 4), (6, 7, 5))


def read_header(window: Window) -> Header:
    """The size of the primary item, the part of it that is to be shown, and its orientation."""
    name = _format_name(window)
    for box in boxes(window, 0, None):
        if box.kind == b"meta":
            meta = Box(box.kind, box.content + FLAGS_BYTES, box.end)
            if items.has_primary(window, meta):
                return _read_meta(window, meta, name)
        if box.kind == b"moov" and name == "avif":
            return Header(name, *_largest(_track_sizes(window, box)))
    if name == "heif":
        raise UnsupportedImage("The HEIF file holds no picture of its own: it may be a video or a sequence.")
    raise BrokenImage("The image is damaged: it does not describe its content.")


def _read_meta(window: Window, meta: Box, name: str) -> Header:
    primary = items.primary_item(window, meta)
    own = items.properties_of(window, meta, primary)
    box = next((box for box in own if box.kind == b"ispe"), None)
    if box is None:
        raise BrokenImage("The image is damaged: its size is missing.")
    check_kind(items.kinds(window, meta).get(primary, b""), name)
    size = size_of(window, box)
    return Header(name, *size, _orientation(window, own), shown=_aperture(window, own, size))


def _format_name(window: Window) -> str:
    length = int.from_bytes(window.at(0, 4), "big")
    if not 16 <= length <= LONGEST_BRANDS_BYTES:
        raise UnsupportedImage("The file is related to AVIF and HEIF, but it is not an image.")
    content = window.at(8, length - 8)
    major = content[:4]
    # After the major brand and a version number come the brands that the file is compatible with.
    brands = {major, *(content[start : start + 4] for start in range(8, len(content), 4))}
    if SHORT in brands:
        raise UnsupportedImage("The file has the short header of small AVIF and HEIF files, which is not supported.")
    if brands & AVIF_BRANDS:
        return "avif"
    if brands & HEIF_BRANDS:
        return "heif"
    raise UnsupportedImage("The file is a video or other media, not an image.")


def _orientation(window: Window, own: list[Box]) -> int:
    """The orientation of an item, from its properties `irot` and `imir`."""
    quarters, mirrored = 0, 0
    for box in own:
        if box.kind == b"irot":
            quarters = window.at(box.content, 1)[0] & 0b11
        elif box.kind == b"imir":
            mirrored = 1 + (window.at(box.content, 1)[0] & 1)
    return ORIENTATIONS[quarters][mirrored]


def _aperture(window: Window, own: list[Box], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The part of an item that is to be shown, from its property `clap`."""
    box = next((box for box in own if box.kind == b"clap"), None)
    return None if box is None else read_aperture(window.at(box.content, APERTURE_BYTES), size)


def _track_sizes(window: Window, moov: Box) -> Iterator[tuple[int, int]]:
    tracks = (box for box in children(window, moov) if box.kind == b"trak")
    for track in islice(tracks, MOST_TRACKS):
        header = child(window, track, b"tkhd")
        # Version 1 has wider time fields; both versions end with width and height as 16.16 fixed-point numbers.
        sides = window.at(header.content + (88 if window.at(header.content, 1) == b"\x01" else 76), 8)
        yield int.from_bytes(sides[:2], "big"), int.from_bytes(sides[4:6], "big")


def _largest(sizes: Iterator[tuple[int, int]]) -> tuple[int, int]:
    return max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
