"""What the box `meta` of an AVIF or HEIF says of its items (ISO 14496-12, 8.11; ISO 23008-12).

An item is a coded picture, a picture derived from others (a grid of tiles), or metadata. One of them is the primary
item, the picture that viewers show; decoders read what it is made of, and nothing else.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from quickthumb.imaging.formats.boxes import FLAGS_BYTES, Box, boxes, child, children
from quickthumb.imaging.formats.pieces import Ranges
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage, TooManyParts

MOST_ITEMS = 1024
# Pieces that one item's data may be cut into.
MOST_EXTENTS = 64
MOST_REFERENCES = 2048
MOST_NAME_BYTES = 1024
# From a picture to the tiles of the grid that it is made of, and on to their transparency.
MOST_STEPS = 4


@dataclass(frozen=True, slots=True)
class Reference:
    """Says that an item is made from others (`dimg`), belongs to others (`auxl`), or describes them."""

    kind: bytes
    item: int
    others: tuple[int, ...]


class Fields:
    """Reads numbers one after the other."""

    def __init__(self, window: Window, offset: int) -> None:
        self._window = window
        self._offset = offset

    def take(self, size: int) -> int:
        data = self._window.at(self._offset, size)
        self._offset += size
        return int.from_bytes(data, "big")


def has_primary(window: Window, meta: Box) -> bool:
    """Whether there is a picture that viewers show; in an animation there may be none."""
    return any(box.kind == b"pitm" for box in children(window, meta))


def primary_item(window: Window, meta: Box) -> int:
    """The number of the picture that viewers show."""
    box = child(window, meta, b"pitm")
    is_long = window.at(box.content, 1) != b"\0"
    return int.from_bytes(window.at(box.content + FLAGS_BYTES, 4 if is_long else 2), "big")


def kinds(window: Window, meta: Box) -> dict[int, bytes]:
    """The kind of each item."""
    info = child(window, meta, b"iinf")
    count_bytes = 4 if window.at(info.content, 1)[0] else 2
    found: dict[int, bytes] = {}
    for entry in boxes(window, info.content + FLAGS_BYTES + count_bytes, info.end):
        id_bytes = 4 if window.at(entry.content, 1)[0] >= 3 else 2
        fields = window.at(entry.content + FLAGS_BYTES, id_bytes + 2 + 4)
        number = int.from_bytes(fields[:id_bytes], "big")
        if number in found:
            raise BrokenImage("The image is damaged: two of its items have the same number.")
        found[number] = fields[-4:]
    return found


def check_names(window: Window, meta: Box) -> None:
    """Raises BrokenImage for an item whose kind, name or type is not text: pi-heif crashes on one."""
    info = child(window, meta, b"iinf")
    count_bytes = 4 if window.at(info.content, 1)[0] else 2
    for entry in boxes(window, info.content + FLAGS_BYTES + count_bytes, info.end):
        names = entry.content + FLAGS_BYTES + (4 if window.at(entry.content, 1)[0] >= 3 else 2) + 2
        length = (entry.end or names) - names
        try:
            window.at(names, max(0, min(length, MOST_NAME_BYTES + 1))).decode()
        except UnicodeDecodeError:
            length = MOST_NAME_BYTES + 1
        if length > MOST_NAME_BYTES:
            raise BrokenImage("The image is damaged: a part of it has a name that is not text, or far too long.")


def properties_of(window: Window, meta: Box, item: int) -> list[Box]:
    """The properties of one item, in the order in which they apply."""
    return next((found for number, found in properties(window, meta) if number == item), [])


def properties(window: Window, meta: Box) -> Iterator[tuple[int, list[Box]]]:
    """The number of each item that has properties, and these in the order in which they apply.

    If an item comes several times, the first counts.
    """
    held = child(window, meta, b"iprp")
    shared = list(children(window, child(window, held, b"ipco")))
    for table in children(window, held):
        if table.kind == b"ipma":
            for item, indices in _associations(window, table):
                yield item, [shared[index - 1] for index in indices if 1 <= index <= len(shared)]


def _associations(window: Window, table: Box) -> Iterator[tuple[int, list[int]]]:
    """The number of each item, and the indices of its properties, counted from 1."""
    version_and_flags = window.at(table.content, FLAGS_BYTES)
    id_bytes, index_bytes = 4 if version_and_flags[0] else 2, 2 if version_and_flags[3] & 1 else 1
    # The highest bit of an index says that the property is essential.
    mask = (1 << 8 * index_bytes - 1) - 1
    offset = table.content + FLAGS_BYTES + 4
    for _ in range(min(int.from_bytes(window.at(offset - 4, 4), "big"), MOST_ITEMS)):
        head = window.at(offset, id_bytes + 1)
        indices = window.at(offset + len(head), head[-1] * index_bytes)
        starts = range(0, len(indices), index_bytes)
        yield (
            int.from_bytes(head[:-1], "big"),
            [int.from_bytes(indices[at : at + index_bytes], "big") & mask for at in starts],
        )
        offset += len(head) + len(indices)


def references(window: Window, meta: Box) -> list[Reference]:
    """All references between items. Raises TooManyParts."""
    table = next((box for box in children(window, meta) if box.kind == b"iref"), None)
    if table is None:
        return []
    wide = 4 if window.at(table.content, 1)[0] else 2
    found, left = [], MOST_REFERENCES
    for box in boxes(window, table.content + FLAGS_BYTES, table.end):
        fields = Fields(window, box.content)
        item, count = fields.take(wide), fields.take(2)
        left -= count
        if left < 0:
            raise TooManyParts(
                f"The image has too many references between its parts; at most {MOST_REFERENCES} are accepted."
            )
        found.append(Reference(box.kind, item, tuple(fields.take(wide) for _ in range(count))))
    return found


def locations(window: Window, meta: Box) -> Iterator[tuple[int, Ranges]]:
    """The number of each item, and where its data lies (ISO 14496-12, 8.11.3)."""
    box = child(window, meta, b"iloc")
    inline = next((box.content for box in children(window, meta) if box.kind == b"idat"), 0)
    version = window.at(box.content, 1)[0]
    fields = Fields(window, box.content + FLAGS_BYTES)
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
            raise TooManyParts(
                f"The data of a part of the image is in too many pieces; at most {MOST_EXTENTS} are accepted."
            )
        ranges = []
        for _ in range(extents):
            fields.take(index_bytes)
            start, length = fields.take(offset_bytes), fields.take(length_bytes)
            ranges.append((base + start, length))
        yield number, ranges


def decoded_items(primary: int, told: list[Reference], is_alpha: Callable[[int], bool]) -> Iterator[int]:
    """The items that a decoder reads to show the primary one: itself, what it is made of, and their transparency.

    An item that is used several times comes as often. Raises BrokenImage for an item that is part of itself, and
    TooManyParts.
    """
    needs: dict[int, list[int]] = {}
    for one in told:
        if one.kind == b"dimg":
            needs.setdefault(one.item, []).extend(one.others)
        elif one.kind == b"auxl" and is_alpha(one.item):
            for other in one.others:
                needs.setdefault(other, []).append(one.item)
    waiting: list[tuple[int, tuple[int, ...]]] = [(primary, ())]
    for _ in range(MOST_REFERENCES):
        if not waiting:
            return
        item, within = waiting.pop()
        if item in within or len(within) > MOST_STEPS:
            raise BrokenImage("The image is damaged: one of its parts consists of itself.")
        yield item
        waiting.extend((other, (*within, item)) for other in needs.get(item, ()))
    raise TooManyParts(f"The image is put together from too many parts; at most {MOST_REFERENCES} are accepted.")
