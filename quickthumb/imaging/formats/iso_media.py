"""AVIF and HEIF: nested boxes (ISO 14496-12) that hold, among others, the sizes of all items (ISO 23008-12).

A picture may consist of tiles, so the largest item counts. Properties of the primary item give the orientation; like
the decoders, this ignores EXIF, which must not contradict them.
"""

from collections.abc import Iterator
from functools import partial
from itertools import islice

from quickthumb.imaging.formats.boxes import FLAGS_BYTES, Box, boxes, child, children
from quickthumb.imaging.formats.exif import if_arrived
from quickthumb.imaging.formats.row import Header, Window
from quickthumb.model.errors import BrokenImage, UnsupportedImage

SIGNATURE = b"????ftyp"

AVIF_BRANDS = frozenset({b"avif", b"avis"})
HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
LONGEST_BRANDS_BYTES = 1024
MOST_TRACKS = 16
MOST_ASSOCIATIONS = 1024

# The EXIF orientation that equals a rotation (in quarter turns, counterclockwise) followed by a mirroring: none, top to
# bottom (axis 0), or left to right (axis 1). As in Pillow and libavif.
ORIENTATIONS = ((1, 4, 2), (8, 5, 7), (3, 2, 4), (6, 7, 5))


def read_header(window: Window) -> Header:
    """The largest size of any item, and the orientation of the primary one if it has arrived."""
    name = _format_name(window)
    for box in boxes(window, 0, None):
        if box.kind == b"meta":
            meta = Box(box.kind, box.content + FLAGS_BYTES, box.end)
            size = _largest(_item_sizes(window, meta))
            return Header(name, *size, if_arrived(partial(_orientation, window, meta)))
        if box.kind == b"moov":
            return Header(name, *_largest(_track_sizes(window, box)))
    raise BrokenImage("The image is damaged: it does not describe its content.")


def _format_name(window: Window) -> str:
    length = int.from_bytes(window.at(0, 4), "big")
    if not 16 <= length <= LONGEST_BRANDS_BYTES:
        raise UnsupportedImage("The file is related to AVIF and HEIF, but it is not an image.")
    content = window.at(8, length - 8)
    major = content[:4]
    # After the major brand and a version number come the brands that the file is compatible with.
    brands = {major, *(content[start : start + 4] for start in range(8, len(content), 4))}
    if brands & AVIF_BRANDS:
        return "avif"
    if brands & HEIF_BRANDS:
        return "heif"
    raise UnsupportedImage("The file is a video or other media, not an image.")


def _item_sizes(window: Window, meta: Box) -> Iterator[tuple[int, int]]:
    properties = child(window, meta, b"iprp")
    for box in children(window, child(window, properties, b"ipco")):
        if box.kind == b"ispe":
            sides = window.at(box.content + FLAGS_BYTES, 8)
            yield int.from_bytes(sides[:4], "big"), int.from_bytes(sides[4:], "big")


def _orientation(window: Window, meta: Box) -> int:
    """The orientation of the primary item, from its properties `irot` and `imir`."""
    properties = child(window, meta, b"iprp")
    held = list(children(window, child(window, properties, b"ipco")))
    quarters, mirrored = 0, 0
    for index in associated(window, child(window, properties, b"ipma"), primary_item(window, meta)):
        box = held[index - 1] if 1 <= index <= len(held) else None
        if box is not None and box.kind == b"irot":
            quarters = window.at(box.content, 1)[0] & 0b11
        elif box is not None and box.kind == b"imir":
            mirrored = 1 + (window.at(box.content, 1)[0] & 1)
    return ORIENTATIONS[quarters][mirrored]


def primary_item(window: Window, meta: Box) -> int:
    box = child(window, meta, b"pitm")
    is_long = window.at(box.content, 1) != b"\0"
    return int.from_bytes(window.at(box.content + FLAGS_BYTES, 4 if is_long else 2), "big")


def associated(window: Window, box: Box, item: int) -> list[int]:
    """The indices, counted from 1, of an item's properties."""
    version_and_flags = window.at(box.content, FLAGS_BYTES)
    id_bytes, index_bytes = 4 if version_and_flags[0] else 2, 2 if version_and_flags[3] & 1 else 1
    offset = box.content + FLAGS_BYTES + 4
    for _ in range(min(int.from_bytes(window.at(offset - 4, 4), "big"), MOST_ASSOCIATIONS)):
        head = window.at(offset, id_bytes + 1)
        indices = window.at(offset + len(head), head[-1] * index_bytes)
        if int.from_bytes(head[:-1], "big") == item:
            # The highest bit says that the property is essential.
            mask = (1 << 8 * index_bytes - 1) - 1
            starts = range(0, len(indices), index_bytes)
            return [int.from_bytes(indices[at : at + index_bytes], "big") & mask for at in starts]
        offset += len(head) + len(indices)
    return []


def _track_sizes(window: Window, moov: Box) -> Iterator[tuple[int, int]]:
    tracks = (box for box in children(window, moov) if box.kind == b"trak")
    for track in islice(tracks, MOST_TRACKS):
        header = child(window, track, b"tkhd")
        # Version 1 has wider time fields; both versions end with width and height as 16.16 fixed-point numbers.
        sides = window.at(header.content + (88 if window.at(header.content, 1) == b"\x01" else 76), 8)
        yield int.from_bytes(sides[:2], "big"), int.from_bytes(sides[4:6], "big")


def _largest(sizes: Iterator[tuple[int, int]]) -> tuple[int, int]:
    return max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
