"""The code points of the colors of AVIF and HEIF, which the decoders do not tell.

They are in a box `colr` (ISO 14496-12, 12.1.5): a property of the primary item, or of the tiles that it is made of; in
a file that has only tracks, in the description of the samples. Without such a box, those in the AV1 data count, as in
libavif. Profiles are in boxes `colr` too: these the decoders tell.
"""

from collections.abc import Iterable, Iterator

from quickthumb.imaging.formats import av1, items
from quickthumb.imaging.formats.boxes import FLAGS_BYTES, Box, boxes, child
from quickthumb.imaging.formats.code_points import CodePoints
from quickthumb.imaging.formats.coded_items import AV1
from quickthumb.imaging.formats.pieces import Pieces
from quickthumb.imaging.formats.window import Window

# What stands before the boxes in the description of a video's samples (ISO 14496-12, 12.1.3).
_SAMPLE_ENTRY_BYTES = 78


def read_code_points(window: Window) -> CodePoints | None:
    """The code points of the picture; None if the file has none. Raises BrokenImage and TooManyParts."""
    for box in boxes(window, 0, None):
        found = None
        if box.kind == b"meta":
            found = _of_items(window, Box(box.kind, box.content + FLAGS_BYTES, box.end))
        elif box.kind == b"moov":
            found = _told_by(window, _of_samples(window, child(window, box, b"trak")))
        if found is not None:
            return found
    return None


def _of_items(window: Window, meta: Box) -> CodePoints | None:
    primary = items.primary_item(window, meta)
    for item in (primary, *_tiles(window, meta, primary)[:1]):
        own = [box for box in items.properties_of(window, meta, item) if box.kind == b"colr"]
        if own:
            return _told_by(window, own)
        if items.kinds(window, meta).get(item) == AV1:
            data = Pieces(window, dict(items.locations(window, meta)).get(item, []))
            told = av1.read_colors(data, data.length)
            return CodePoints(*told) if told else None
    return None


def _tiles(window: Window, meta: Box, item: int) -> tuple[int, ...]:
    """The items that one is made of."""
    made_of = (one for one in items.references(window, meta) if one.kind == b"dimg" and one.item == item)
    return next((one.others for one in made_of), ())


def _told_by(window: Window, held: Iterable[Box]) -> CodePoints | None:
    for box in held:
        if box.kind == b"colr" and window.at(box.content, 4) == b"nclx":
            numbers = window.at(box.content + 4, 4)
            return CodePoints(int.from_bytes(numbers[:2], "big"), int.from_bytes(numbers[2:], "big"))
    return None


def _of_samples(window: Window, track: Box) -> Iterator[Box]:
    """The boxes in the first description of a track's samples."""
    table = track
    for kind in (b"mdia", b"minf", b"stbl", b"stsd"):
        table = child(window, table, kind)
    for entry in boxes(window, table.content + FLAGS_BYTES + 4, table.end):
        yield from boxes(window, entry.content + _SAMPLE_ENTRY_BYTES, entry.end)
        return
