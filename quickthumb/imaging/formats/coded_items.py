"""Where the coded pictures of an AVIF are: the data of its items, and the samples of its tracks.

Decoders decode these at the size, and as often, as the data itself says, whatever the boxes say. So this compares both
before a decoder sees the file.
"""

from collections.abc import Iterator
from itertools import islice

from quickthumb.imaging.formats.av1 import Coded, read_coded
from quickthumb.imaging.formats.boxes import FLAGS_BYTES, Box, boxes, child, children
from quickthumb.imaging.formats.row import Header, Window
from quickthumb.model.errors import BrokenImage, TooManyParts
from quickthumb.model.limits import Limits

AV1 = b"av01"
MOST_ITEMS = 1024
# Pieces that one item's data may be cut into.
MOST_EXTENTS = 64
MOST_TRACKS = 16
# A still is one frame, or a few that refine each other. Animations have frames between the shown ones that are not
# shown themselves: on average less than one.
MOST_ITEM_FRAMES = 8
MOST_SAMPLE_FRAMES = 16
FRAMES_PER_SAMPLE = 4
# Encoders may round sides up.
PADDING_PIXELS = 64

Ranges = list[tuple[int, int]]


class Pieces:
    """A window on the data of one item, which lies in several pieces of the file."""

    def __init__(self, window: Window, ranges: Ranges) -> None:
        self._window = window
        self._ranges = ranges
        self.length = sum(length for _, length in ranges)

    def at(self, offset: int, length: int) -> bytes:
        found = b""
        for start, available in self._ranges:
            taken = min(available - offset, length - len(found))
            if taken > 0:
                found += self._window.at(start + offset, taken)
                offset = 0
            else:
                offset -= available
        if len(found) < length:
            raise BrokenImage("The image is damaged: its data ends too early.")
        return found

    def ends_before(self, offset: int) -> bool:
        return offset >= self.length


def check_coded_pictures(window: Window, header: Header, limits: Limits) -> None:
    """Checks the coded pictures of a whole file against its header.

    Raises BrokenImage if one is far larger than the header says, and TooManyParts if one has frames that it does not
    need.
    """
    for box in boxes(window, 0, None):
        if box.kind == b"meta":
            for item in _items(window, Box(box.kind, box.content + FLAGS_BYTES, box.end)):
                _check(item, header, MOST_ITEM_FRAMES)
        elif box.kind == b"moov":
            tracks = (track for track in children(window, box) if track.kind == b"trak")
            for track in islice(tracks, MOST_TRACKS):
                _check_samples(window, track, header, limits)


def _check(data: Pieces, header: Header, most_frames: int) -> Coded:
    coded = read_coded(data, data.length)
    if coded.frames > most_frames:
        raise TooManyParts(f"A picture of the AVIF has too many frames of its own; at most {most_frames} are accepted.")
    if coded.width * coded.height > (header.width + PADDING_PIXELS) * (header.height + PADDING_PIXELS):
        raise BrokenImage(
            f"The image is damaged: its AV1 data has {coded.width} × {coded.height} pixels, "
            f"but the file says {header.width} × {header.height}."
        )
    return coded


def _items(window: Window, meta: Box) -> Iterator[Pieces]:
    """The data of each AV1 item."""
    coded = set(_coded_ids(window, child(window, meta, b"iinf")))
    inline = next((box.content for box in children(window, meta) if box.kind == b"idat"), 0)
    for number, ranges in locations(window, child(window, meta, b"iloc"), inline):
        if number in coded:
            yield Pieces(window, ranges)


def _coded_ids(window: Window, info: Box) -> Iterator[int]:
    count_bytes = 4 if window.at(info.content, 1)[0] else 2
    for entry in boxes(window, info.content + FLAGS_BYTES + count_bytes, info.end):
        id_bytes = 4 if window.at(entry.content, 1)[0] >= 3 else 2
        fields = window.at(entry.content + FLAGS_BYTES, id_bytes + 2 + 4)
        if fields[-4:] == AV1:
            yield int.from_bytes(fields[:id_bytes], "big")


class _Fields:
    """Reads numbers one after the other."""

    def __init__(self, window: Window, offset: int) -> None:
        self._window = window
        self._offset = offset

    def take(self, size: int) -> int:
        data = self._window.at(self._offset, size)
        self._offset += size
        return int.from_bytes(data, "big")


def locations(window: Window, box: Box, inline: int) -> Iterator[tuple[int, Ranges]]:
    """The number of each item, and where its data lies (ISO 14496-12, 8.11.3)."""
    version = window.at(box.content, 1)[0]
    fields = _Fields(window, box.content + FLAGS_BYTES)
    sizes = fields.take(2)
    offset_bytes, length_bytes, base_bytes = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_bytes = sizes & 15 if version else 0
    wide = 4 if version >= 2 else 2
    for _ in range(min(fields.take(wide), MOST_ITEMS)):
        number = fields.take(wide)
        is_inline = bool(version) and fields.take(2) & 15 == 1
        fields.take(2)
        base = fields.take(base_bytes) + (inline if is_inline else 0)
        extents = fields.take(2)
        if extents > MOST_EXTENTS:
            raise TooManyParts(f"The data of a part of the image is in too many pieces; at most {MOST_EXTENTS} may be.")
        ranges = []
        for _ in range(extents):
            fields.take(index_bytes)
            start, length = fields.take(offset_bytes), fields.take(length_bytes)
            ranges.append((base + start, length))
        yield number, ranges


def _check_samples(window: Window, track: Box, header: Header, limits: Limits) -> None:
    """Checks the frames of an animation."""
    table = track
    for kind in (b"mdia", b"minf", b"stbl"):
        table = child(window, table, kind)
    if window.at(child(window, table, b"stsd").content + FLAGS_BYTES + 4 + 4, 4) != AV1:
        return
    samples = frames = 0
    for place, length in islice(_samples(window, table), limits.max_frames + 1):
        samples += 1
        frames += _check(Pieces(window, [(place, length)]), header, MOST_SAMPLE_FRAMES).frames
    most = FRAMES_PER_SAMPLE * samples + MOST_SAMPLE_FRAMES
    if frames > most:
        raise TooManyParts(f"The animation has too many frames that are never shown; at most {most} are accepted.")


def _samples(window: Window, table: Box) -> Iterator[tuple[int, int]]:
    """The offset and length of each sample (ISO 14496-12, 8.7)."""
    sizes = child(window, table, b"stsz").content + FLAGS_BYTES
    uniform, count = (int.from_bytes(window.at(sizes + at, 4), "big") for at in (0, 4))
    number = 0
    for place, several in _chunks(window, table):
        for _ in range(several):
            if number == count:
                return
            length = uniform or int.from_bytes(window.at(sizes + 8 + 4 * number, 4), "big")
            yield place, length
            place, number = place + length, number + 1


def _chunks(window: Window, table: Box) -> Iterator[tuple[int, int]]:
    """The offset of each chunk, and how many samples are in it."""
    wide = any(box.kind == b"co64" for box in children(window, table))
    places = _Fields(window, child(window, table, b"co64" if wide else b"stco").content + FLAGS_BYTES)
    runs = _runs(_Fields(window, child(window, table, b"stsc").content + FLAGS_BYTES))
    several, following = 0, next(runs, None)
    for chunk in range(1, places.take(4) + 1):
        if following and following[0] == chunk:
            several, following = following[1], next(runs, None)
        if not several:
            raise BrokenImage("The image is damaged: a part of its animation is empty.")
        yield places.take(8 if wide else 4), several


def _runs(fields: _Fields) -> Iterator[tuple[int, int]]:
    """From which chunk on, counted from 1, how many samples are in a chunk."""
    for _ in range(fields.take(4)):
        first, several, _ = (fields.take(4) for _ in range(3))
        yield first, several
