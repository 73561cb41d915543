"""Where the coded pictures of an AVIF or HEIF are: the data of its items, and the samples of its tracks.

Decoders decode these at the size, and as often, as the data itself says, whatever the boxes say. So this compares both
before a decoder sees the file. It looks at what the decoder reads: not at thumbnails, depth maps or other pictures.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from quickthumb.imaging.formats import av1, hevc, items
from quickthumb.imaging.formats.bits import Coded
from quickthumb.imaging.formats.boxes import FLAGS_BYTES, Box, boxes, child, children
from quickthumb.imaging.formats.item_bytes import check_bytes
from quickthumb.imaging.formats.items import Fields
from quickthumb.imaging.formats.pieces import Pieces, Ranges
from quickthumb.imaging.formats.row import Header
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage, TooManyParts, UnsupportedImage
from quickthumb.model.limits import Limits

AV1, HEVC, GRID, SAME = b"av01", b"hvc1", b"grid", b"iden"
# The codec of each format, and its name.
CODECS = {"avif": (AV1, "AV1"), "heif": (HEVC, "HEVC")}
OTHERS = {
    AV1: "AV1",
    HEVC: "HEVC",
    b"avc1": "AVC",
    b"jpeg": "JPEG",
    b"j2k1": "JPEG 2000",
    b"vvc1": "VVC",
    b"unci": "no compression",
    b"iovl": "overlays",
}
ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
MOST_NAME_BYTES = 64
MOST_TRACKS = 16
# A still is one frame, or for AV1 a few that refine each other. Animations have frames between the shown ones that are
# not shown themselves: on average less than one.
MOST_ITEM_FRAMES = {"avif": 8, "heif": 1}
MOST_SAMPLE_FRAMES = 16
FRAMES_PER_SAMPLE = 4
# Encoders may round sides up.
PADDING_PIXELS = 64
# The tiles at the edges of a grid may reach beyond it: then all of them have up to four times its pixels, or if it is
# small as many as a few tiles have.
GRID_SHARE, GRID_SPARE_PIXELS = 4, 1 << 20


@dataclass(frozen=True, slots=True)
class _Contents:
    """The items of a file: their kinds, where their data lies, and their properties."""

    window: Window
    kinds: dict[int, bytes]
    places: dict[int, Ranges]
    properties: dict[int, list[Box]]

    def data(self, item: int) -> Pieces:
        return Pieces(self.window, self.places.get(item, []))

    def property(self, item: int, kind: bytes) -> Box:
        found = next((box for box in self.properties.get(item, ()) if box.kind == kind), None)
        if found is None:
            raise BrokenImage(f"The image is damaged: a part of it has no property {kind.decode()}.")
        return found

    def size(self, item: int) -> tuple[int, int]:
        return size_of(self.window, self.property(item, b"ispe"))

    def is_alpha(self, item: int) -> bool:
        boxes_of = (box for box in self.properties.get(item, ()) if box.kind == b"auxC")
        return any(self._name(box) in ALPHA for box in boxes_of)

    def _name(self, box: Box) -> bytes:
        length = min((box.end or 0) - box.content - FLAGS_BYTES, MOST_NAME_BYTES)
        return self.window.at(box.content + FLAGS_BYTES, max(0, length)).partition(b"\0")[0]


def size_of(window: Window, box: Box) -> tuple[int, int]:
    """Width and height in pixels in a box `ispe`."""
    sides = window.at(box.content + FLAGS_BYTES, 8)
    return int.from_bytes(sides[:4], "big"), int.from_bytes(sides[4:], "big")


def check_kind(kind: bytes, format_name: str) -> None:
    """Raises UnsupportedImage for an item that is neither coded as its format demands nor derived from such items."""
    coded, name = CODECS[format_name]
    if kind in (coded, GRID, SAME):
        return
    if not kind:
        raise BrokenImage("The image is damaged: a part of it is missing.")
    used = OTHERS.get(kind) or repr(kind.decode("ascii", "replace"))
    raise UnsupportedImage(f"The picture in the {format_name.upper()} file uses {used}, but only {name} is supported.")


def check_coded_pictures(window: Window, header: Header, limits: Limits) -> None:
    """Checks the coded pictures of a whole file against its header.

    Raises BrokenImage if one is far larger than the header says, TooManyParts if one has frames that it does not need,
    and UnsupportedImage if it is coded in a way that the decoder of its format does not know.
    """
    for box in boxes(window, 0, None):
        if box.kind == b"meta":
            meta = Box(box.kind, box.content + FLAGS_BYTES, box.end)
            if items.has_primary(window, meta):
                items.check_names(window, meta)
                _check_items(window, meta, header)
        elif box.kind == b"mini":  # another header
            raise BrokenImage("The image is damaged: it has two headers.")
        elif box.kind == b"moov":
            tracks = (track for track in children(window, box) if track.kind == b"trak")
            for track in islice(tracks, MOST_TRACKS):
                _check_samples(window, track, header, limits)


def _check_items(window: Window, meta: Box, header: Header) -> None:
    """Checks what the primary item is made of."""
    contents = _Contents(window, items.kinds(window, meta), dict(items.locations(window, meta)), {})
    for item, found in items.properties(window, meta):
        contents.properties.setdefault(item, found)
    told = items.references(window, meta)
    check_bytes(window, contents.kinds, contents.places, contents.properties, told)
    primary = items.primary_item(window, meta)
    _check_shape(contents, primary, told)
    spare = GRID_SHARE * header.width * header.height + GRID_SPARE_PIXELS
    left = {True: spare, False: spare}  # for transparency, and for the rest
    read: dict[int, int] = {}
    for item in items.decoded_items(primary, told, contents.is_alpha):
        if item not in read:
            read[item] = _check_item(contents, item, header)
        is_alpha = contents.is_alpha(item)
        left[is_alpha] -= read[item]
        if left[is_alpha] < 0:
            raise BrokenImage("The image is damaged: its tiles have far more pixels than the whole.")


def _check_shape(contents: _Contents, primary: int, told: list[items.Reference]) -> None:
    """Raises UnsupportedImage for chains of items that no camera makes, and that decoders have often stumbled over."""
    derived = {other for one in told if one.kind == b"dimg" for other in one.others}
    clear = {one.item for one in told if one.kind == b"auxl" and contents.is_alpha(one.item)}
    twice = any(other in clear for one in told if one.item in clear and one.kind == b"auxl" for other in one.others)
    same = any(contents.kinds.get(item) == SAME for item in derived | clear)
    # Of a small picture of another one, libheif shows the other one.
    hidden = primary in clear or any(one.kind == b"thmb" and one.item == primary for one in told)
    if twice or same or hidden:
        raise UnsupportedImage("The image is put together in a way that is not supported.")


def _check_item(contents: _Contents, item: int, header: Header) -> int:
    """Checks one item; returns the pixels that a decoder decodes for it."""
    kind = contents.kinds.get(item, b"")
    check_kind(kind, header.format)
    if kind == GRID:
        _check_grid(contents, item)
        return 0
    if kind == SAME:
        return 0
    size = contents.size(item)
    data = contents.data(item)
    if kind == AV1:
        coded = av1.read_coded(data, data.length)
    else:
        configuration = hevc.configuration_of(contents.window, contents.property(item, b"hvcC"))
        coded = hevc.read_coded(data, data.length, configuration)
    _check(coded, size, header.format, MOST_ITEM_FRAMES[header.format])
    return coded.width * coded.height


def _check_grid(contents: _Contents, item: int) -> None:
    """Compares a grid's own word for its size with the item's."""
    fields = Fields(contents.data(item), 0)
    fields.take(1)
    side_bytes = 4 if fields.take(1) & 1 else 2
    fields.take(2)
    size = (fields.take(side_bytes), fields.take(side_bytes))
    if size != contents.size(item):
        raise BrokenImage("The image is damaged: its grid has another size than the file says.")


def _check(coded: Coded, size: tuple[int, int], format_name: str, most_frames: int) -> None:
    if format_name == "heif" and not coded.frames:
        raise BrokenImage("The image is damaged: a part of it has no picture.")
    if coded.frames > most_frames:
        raise TooManyParts(
            f"A picture of the {format_name.upper()} has too many frames; at most {most_frames} are accepted."
        )
    if coded.width * coded.height > math.prod(side + PADDING_PIXELS for side in size):
        raise BrokenImage(
            f"The image is damaged: its {CODECS[format_name][1]} data has {coded.width} × {coded.height} pixels, "
            f"but the file says {size[0]} × {size[1]}."
        )


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
        coded = av1.read_coded(Pieces(window, [(place, length)]), length)
        _check(coded, (header.width, header.height), header.format, MOST_SAMPLE_FRAMES)
        frames += coded.frames
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
    places = Fields(window, child(window, table, b"co64" if wide else b"stco").content + FLAGS_BYTES)
    runs = _runs(Fields(window, child(window, table, b"stsc").content + FLAGS_BYTES))
    several, following = 0, next(runs, None)
    for chunk in range(1, places.take(4) + 1):
        if following and following[0] == chunk:
            several, following = following[1], next(runs, None)
        if not several:
            raise BrokenImage("The image is damaged: a part of its animation is empty.")
        yield places.take(8 if wide else 4), several


def _runs(fields: Fields) -> Iterator[tuple[int, int]]:
    """From which chunk on, counted from 1, how many samples are in a chunk."""
    for _ in range(fields.take(4)):
        first, several, _ = (fields.take(4) for _ in range(3))
        yield first, several
