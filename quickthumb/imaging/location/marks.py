"""Location in bytes whose structure is not followed, found by the marks that it begins with.

For what programs append to pictures, such as further pictures and the videos of phones, and for files that are cut or
damaged. One pass over the bytes, in blocks.
"""

import re
from collections.abc import Callable, Iterator

from quickthumb.imaging.formats.exif import PREFIX
from quickthumb.imaging.location.exif import MARK, find_in_exif, find_in_tiff
from quickthumb.imaging.location.patches import SPACE, ZERO, Bounded, Patch, Stretch
from quickthumb.imaging.location.xmp import TAGS, find_in_xmp
from quickthumb.model.errors import BrokenImage

BLOCK_BYTES = 1024 * 1024
# A segment of a JPEG holds no more; blocks of EXIF elsewhere seldom do.
MOST_EXIF_BYTES = 64 * 1024
MOST_XMP_BYTES = 1024 * 1024
MOST_BOX_BYTES = 1024
_XMP_END = b"</rdf:RDF>"
_JSON_VALUE = re.compile(rb'"exif:GPS\w{0,40}"\s*:\s*("[^"]{0,200}"|[-+.\deE]{1,40})')
# A place in a video's metadata (ISO 6709): latitude and longitude, and maybe a height.
_PLACE = re.compile(rb"[+-]\d{2,6}(?:\.\d{1,12})?[+-]\d{3,7}(?:\.\d{1,12})?(?:[+-]\d{1,6}(?:\.\d{1,12})?)?/?")

Find = Callable[[Bounded, int, int], Iterator[Patch]]


def find_marked(window: Bounded, start: int, end: int) -> Iterator[Patch]:
    """Location behind the marks between two offsets. Raises TooInvolved."""
    for offset in range(start, end, BLOCK_BYTES):
        block = window.at(offset, min(BLOCK_BYTES + LONGEST_MARK - 1, end - offset))
        for mark, find in MARKS.items():
            at = block.find(mark)
            while 0 <= at < BLOCK_BYTES:
                yield from _readable(find, window, offset + at, end)
                at = block.find(mark, at + 1)


def _readable(find: Find, window: Bounded, at: int, end: int) -> list[Patch]:
    """What is found at a mark; nothing if the mark was there by chance, and what follows it makes no sense."""
    try:
        return list(find(window, at, end))
    except BrokenImage:
        return []


def _exif(window: Bounded, at: int, end: int) -> Iterator[Patch]:
    if length := _segment_bytes(window, at):
        return find_in_exif(Stretch(window, [(at, min(length, end - at))]))
    return find_in_tiff(Stretch(window, [(at, min(MOST_EXIF_BYTES, end - at))]), len(PREFIX))


def _segment_bytes(window: Bounded, at: int) -> int:
    """The length of the JPEG segment whose content is at an offset; 0 if there is none."""
    head = window.at(at - 4, 4) if at >= 4 else b""
    return int.from_bytes(head[2:], "big") - 2 if head[:2] == b"\xff\xe1" else 0


def _xmp(window: Bounded, at: int, end: int) -> Iterator[Patch]:
    """The packet up to its end mark, or, for a packet in some other form, as far as it may reach."""
    told = window.at(at, min(MOST_XMP_BYTES, end - at))
    length = told.find(_XMP_END)
    return find_in_xmp(Stretch(window, [(at, length if length >= 0 else min(MOST_EXIF_BYTES, len(told)))]))


def _photoshop(window: Bounded, at: int, end: int) -> Iterator[Patch]:
    """A block of EXIF among Photoshop's resources: a padded name and a length stand before it."""
    name_bytes = window.at(at + 6, 1)[0] + 1
    head = at + 6 + name_bytes + name_bytes % 2
    length = int.from_bytes(window.at(head, 4), "big")
    return find_in_exif(Stretch(window, [(head + 4, min(length, end - head - 4))]))


def _box(window: Bounded, at: int, end: int) -> Iterator[Patch]:
    """A box of a video that holds a place, such as `©xyz`, becomes free space."""
    length = int.from_bytes(window.at(at - 4, 4), "big") if at >= 4 else 0
    if 8 < length <= min(MOST_BOX_BYTES, end - at + 4):
        yield Patch(at, 4, b"free")
        yield Patch(at + 4, length - 8, ZERO)


def _apple(window: Bounded, at: int, end: int) -> Iterator[Patch]:
    """The value of a key that Apple's videos have; the value stands behind all keys."""
    text = window.at(at, min(MOST_EXIF_BYTES, end - at))
    return (Patch(at + place.start(), len(place[0]), SPACE) for place in _PLACE.finditer(text))


def _json(window: Bounded, at: int, end: int) -> Iterator[Patch]:
    """The properties of EXIF in the assertions of Content Credentials."""
    value = _JSON_VALUE.match(window.at(at, min(MOST_BOX_BYTES, end - at)))
    if value:
        within = value[1].startswith(b'"')
        fill = SPACE if within else b"0"
        yield Patch(at + value.start(1) + within, len(value[1]) - 2 * within, fill)


def _tag(window: Bounded, at: int, end: int) -> Iterator[Patch]:
    """A coordinate among the keywords of IPTC."""
    tag = TAGS.match(window.at(at, min(MOST_BOX_BYTES, end - at)))
    if tag:
        yield Patch(at + tag.start(1), len(tag[1]), SPACE)


MARKS: dict[bytes, Find] = {
    MARK: _exif,
    b"<rdf:RDF": _xmp,
    b"8BIM\x04\x22": _photoshop,
    b"\xa9xyz": _box,
    b"loci": _box,
    b"com.apple.quicktime.location.ISO6709": _apple,
    b'"exif:GPS': _json,
    b"geo:lat=": _tag,
    b"geo:lon": _tag,
}
LONGEST_MARK = max(map(len, MARKS))
