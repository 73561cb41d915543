"""Location in AVIF, HEIF and other ISO media: in their items of EXIF and XMP, and in what videos hold."""

from collections.abc import Iterator
from contextlib import suppress

from quickthumb.imaging.formats.boxes import FLAGS_BYTES, Box, boxes, child
from quickthumb.imaging.formats.items import locations
from quickthumb.imaging.formats.pieces import Ranges
from quickthumb.imaging.location.exif import find_in_exif
from quickthumb.imaging.location.marks import find_marked
from quickthumb.imaging.location.patches import ZERO, Bounded, Patch, Stretch
from quickthumb.imaging.location.xmp import find_in_xmp
from quickthumb.model.errors import BrokenImage, TooManyParts

# The data of pictures. Everything else is searched: a video may be within it, and credentials.
PIXELS = frozenset({b"mdat", b"ftyp", b"free", b"jxlc", b"jxlp"})
XMP_TYPE = b"application/rdf+xml"
PACKED = b"brob"


def find_in_iso_media(window: Bounded) -> Iterator[Patch]:
    """Location in a file of boxes. Raises TooInvolved."""
    rest = 0
    with suppress(BrokenImage, TooManyParts):  # what cannot be followed is searched
        for box in boxes(window, 0, None):
            end = window.size if box.end is None else min(box.end, window.size)
            yield from _in_box(window, box, end)
            rest = end
    yield from find_marked(window, rest, window.size)


def _in_box(window: Bounded, box: Box, end: int) -> Iterator[Patch]:
    content = Stretch(window, [(box.content, end - box.content)])
    if box.kind == b"meta":
        yield from _in_items(window, Box(box.kind, box.content + FLAGS_BYTES, end))
    elif box.kind == b"Exif":  # JPEG XL
        yield from _in_exif(content)
    elif box.kind == b"xml ":
        yield from find_in_xmp(content)
    elif box.kind == PACKED and window.at(box.content, 4) in (b"Exif", b"xml "):
        # Nothing here can unpack it.
        yield Patch(box.content - 4, 4, b"free")
        yield from content.blank()
    elif box.kind not in PIXELS:
        yield from find_marked(window, box.content, end)


def _in_items(window: Bounded, meta: Box) -> Iterator[Patch]:
    """Location in the items of EXIF and XMP, wherever their data lies."""
    kinds = dict(_metadata_items(window, child(window, meta, b"iinf")))
    for number, ranges in locations(window, meta):
        data = Stretch(window, _within(window, ranges))
        if kinds.get(number) == b"Exif":
            yield from _in_exif(data)
        elif number in kinds:
            yield from find_in_xmp(data)


def _within(window: Bounded, ranges: Ranges) -> Ranges:
    """The ranges as far as the file has them. A length of 0 stands for the rest of the file."""
    return [(start, min(length or window.size, window.size - start)) for start, length in ranges if start < window.size]


def _metadata_items(window: Bounded, info: Box) -> Iterator[tuple[int, bytes]]:
    """The number and the kind of each item that holds metadata (ISO 14496-12, 8.11.6)."""
    count_bytes = 4 if window.at(info.content, 1)[0] else 2
    for entry in boxes(window, info.content + FLAGS_BYTES + count_bytes, info.end):
        id_bytes = 4 if window.at(entry.content, 1)[0] >= 3 else 2
        start = entry.content + FLAGS_BYTES
        fields = window.at(start, id_bytes + 2 + 4)
        number, kind = int.from_bytes(fields[:id_bytes], "big"), fields[-4:]
        end = min(entry.end or window.size, window.size)
        told = window.at(start + len(fields), end - start - len(fields)) if kind == b"mime" else b""
        if kind == b"Exif" or XMP_TYPE in told:
            yield number, kind


def _in_exif(data: Stretch) -> Iterator[Patch]:
    """An item of EXIF begins with the number of bytes before its block (ISO 23008-12, annex A)."""
    if data.length <= 4:
        return
    skipped = 4 + int.from_bytes(data.at(0, 4), "big")
    if skipped < data.length:
        yield from find_in_exif(data.behind(skipped))
    else:
        yield from data.blank(ZERO)
