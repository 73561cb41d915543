"""The box `colr` of AVIF and HEIF (ISO 14496-12, 12.1.5) with code points, which the decoders do not tell.

It is a property of the primary item; in a file that has only tracks, it is in the description of the samples. Profiles
are in boxes of that kind too: these the decoders tell.
"""

from collections.abc import Iterable, Iterator

from quickthumb.imaging.formats import items
from quickthumb.imaging.formats.boxes import FLAGS_BYTES, Box, boxes, child
from quickthumb.imaging.formats.code_points import CodePoints
from quickthumb.imaging.formats.row import Window

# What stands before the boxes in the description of a video's samples (ISO 14496-12, 12.1.3).
_SAMPLE_ENTRY_BYTES = 78


def read_code_points(window: Window) -> CodePoints | None:
    """The code points of the picture; None if the file has none. Raises BrokenImage for damaged boxes."""
    for box in boxes(window, 0, None):
        found = None
        if box.kind == b"meta":
            meta = Box(box.kind, box.content + FLAGS_BYTES, box.end)
            found = _told_by(window, items.properties_of(window, meta, items.primary_item(window, meta)))
        elif box.kind == b"moov":
            found = _told_by(window, _of_samples(window, child(window, box, b"trak")))
        if found is not None:
            return found
    return None


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
