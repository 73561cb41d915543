"""Location in a JPEG: in its segments, and in what follows its first scan, such as further pictures and videos."""

from collections.abc import Iterator
from contextlib import suppress

from quickthumb.imaging.formats.jpeg import APP1, EXTENDED_XMP, XMP
from quickthumb.imaging.formats.jpeg_segments import ALONE, END_OF_IMAGE, START_OF_SCAN
from quickthumb.imaging.location.exif import MARK, find_in_exif
from quickthumb.imaging.location.marks import find_marked
from quickthumb.imaging.location.patches import Bounded, Patch, Stretch
from quickthumb.imaging.location.xmp import MOST_PACKET_BYTES, find_in_xmp, new_digest
from quickthumb.model.errors import BrokenImage

MOST_SEGMENTS = 4096
# Extended XMP: a name, the digest of the whole packet in hexadecimal, its length, and where this part belongs.
DIGEST_BYTES = 32
PART_HEAD_BYTES = len(EXTENDED_XMP) + DIGEST_BYTES + 8

# An application's segment: where its content begins, and its length.
Segment = tuple[int, int]


def find_in_jpeg(window: Bounded) -> Iterator[Patch]:
    """Location in a JPEG. Raises TooInvolved."""
    rest, parts = 2, _Parts(window)
    packets: list[Segment] = []
    with suppress(BrokenImage):  # what cannot be followed is searched
        for marker, start, length in _segments(window):
            rest = start + length
            name = window.at(start, min(length, len(EXTENDED_XMP)))
            if marker == APP1 and name.startswith(MARK):
                yield from find_in_exif(Stretch(window, [(start, length)]))
            elif marker == APP1 and name.startswith(XMP):
                packets.append((start + len(XMP), length - len(XMP)))
            elif marker == APP1 and name == EXTENDED_XMP and length >= PART_HEAD_BYTES:
                parts.take(start, length)
            else:
                yield from find_marked(window, start, rest)
    for packet in packets:
        yield from find_in_xmp(Stretch(window, [packet]))
        yield from parts.renamed_in(packet)
    yield from parts.find()
    yield from find_marked(window, rest, window.size)


def _segments(window: Bounded) -> Iterator[tuple[int, int, int]]:
    """The marker, and the offset and length of the content, of each segment before the first scan."""
    offset = 2
    for _ in range(MOST_SEGMENTS):
        lead, marker = window.at(offset, 2)
        if lead != 0xFF or marker in (0x00, 0xFF):
            offset += 1
        elif marker in ALONE:
            offset += 2
        elif marker in (START_OF_SCAN, END_OF_IMAGE):
            return
        else:
            length = int.from_bytes(window.at(offset + 2, 2), "big")
            window.at(offset + 2, max(2, length))
            yield marker, offset + 4, max(2, length) - 2
            offset += 2 + max(2, length)


class _Parts:
    """The parts of packets of extended XMP, each of at most 64 KiB. A property may begin in one and end in another."""

    def __init__(self, window: Bounded) -> None:
        self._window = window
        self._parts: dict[bytes, list[tuple[int, Segment]]] = {}
        self._digests: dict[bytes, bytes] | None = None

    def take(self, start: int, length: int) -> None:
        """Takes the segment with that content."""
        head = self._window.at(start + len(EXTENDED_XMP), DIGEST_BYTES + 8)
        place = int.from_bytes(head[-4:], "big")
        segment = start + PART_HEAD_BYTES, length - PART_HEAD_BYTES
        self._parts.setdefault(head[:DIGEST_BYTES], []).append((place, segment))

    def renamed_in(self, packet: Segment) -> Iterator[Patch]:
        """The main packet names the extended one by its digest, which changes."""
        told = self._window.at(*packet)
        for old, new in self._changed().items():
            at = told.find(old)
            if at >= 0:
                yield Patch(packet[0] + at, DIGEST_BYTES, new)

    def find(self) -> Iterator[Patch]:
        """Location in all parts, and the new digest in each."""
        for name, parts in self._parts.items():
            yield from find_in_xmp(self._whole(parts))
            if new := self._changed().get(name):
                for _, (start, _) in parts:
                    yield Patch(start - DIGEST_BYTES - 8, DIGEST_BYTES, new)

    def _changed(self) -> dict[bytes, bytes]:
        """The new digests by the old ones, where they differ."""
        if self._digests is None:
            told = {name: self._whole(parts) for name, parts in self._parts.items()}
            small = {name: whole for name, whole in told.items() if whole.length <= MOST_PACKET_BYTES}
            new = {name: new_digest(whole.at(0, whole.length)) for name, whole in small.items()}
            self._digests = {name: digest for name, digest in new.items() if digest}
        return self._digests

    def _whole(self, parts: list[tuple[int, Segment]]) -> Stretch:
        return Stretch(self._window, [segment for _, segment in sorted(parts)])
