"""Location in EXIF and TIFF: the GPS directories, and the XMP packets that a TIFF holds in a tag.

An emptied GPS directory keeps one entry, the version of its format, because a directory must have one. Values that
entries point to become zeros. Maker notes are not read: their formats are secret.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from quickthumb.imaging.formats.exif import PREFIX, Order, whole_numbers
from quickthumb.imaging.location.patches import ZERO, Patch, Stretch
from quickthumb.imaging.location.xmp import find_in_xmp
from quickthumb.model.errors import BrokenImage

# The sixth byte of the prefix should be a zero, but some cameras write another one, which programs pass over.
MARK = PREFIX[:5]
GPS, XMP = 34853, 700
# Tags that point to further directories: SubIFDs, EXIF, and how to interoperate.
FURTHER = frozenset({330, 34665, 40965})
MOST_FURTHER = 64
MOST_ENTRIES = 2**16
# GPS directories have at most 32 entries, and their values are short.
MOST_GPS_ENTRIES = 256
MOST_VALUE_BYTES = 64 * 1024
# The sizes of the types of TIFF 6.0 and BigTIFF in bytes, by their numbers.
SIZES = dict(enumerate((0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)))
WHOLE_NUMBERS = {3: 2, 4: 4, 13: 4, 16: 8, 18: 8}
VERSION = bytes((2, 3, 0, 0))


@dataclass(frozen=True, slots=True)
class _Layout:
    """How numbers and directories are stored."""

    order: Order
    offset_bytes: int
    count_bytes: int
    entry_bytes: int

    def number(self, data: bytes) -> int:
        return int.from_bytes(data, self.order)

    def directory(self, block: Stretch, at: int, most: int) -> list[bytes]:
        """The entries of the directory at an offset, at most so many, or as many as the block has."""
        count = min(self.number(block.at(at, self.count_bytes)), most)
        first = at + self.count_bytes
        count = min(count, (block.length - first) // self.entry_bytes)
        entries = block.at(first, count * self.entry_bytes)
        return [entries[begin : begin + self.entry_bytes] for begin in range(0, len(entries), self.entry_bytes)]

    def value(self, entry: bytes) -> tuple[int, int] | None:
        """The offset and the length in bytes of a value that does not fit into its entry; None if it fits."""
        count = self.number(entry[4 : 4 + self.offset_bytes])
        length = SIZES.get(self.number(entry[2:4]), 1) * count
        return None if length <= self.offset_bytes else (self.number(entry[-self.offset_bytes :]), length)


def find_in_exif(block: Stretch) -> Iterator[Patch]:
    """Location in a block of EXIF, with or without its prefix. A block that cannot be read is blanked as a whole."""
    try:
        start = 0
        while block.length >= start + len(PREFIX) and block.at(start, len(MARK)) == MARK:
            start += len(PREFIX)  # some programs write it twice
        patches = list(find_in_tiff(block, start))
    except BrokenImage:
        patches = list(block.blank()) if block.length > len(PREFIX) else []
    yield from patches


def find_in_tiff(block: Stretch, start: int = 0) -> Iterator[Patch]:
    """Location in the TIFF that begins at `start` of a block: in all of its directories.

    Raises BrokenImage if the first directory cannot be read, and TooInvolved.
    """
    block = block.behind(start)
    layout = _layout(block)
    first = layout.number(block.at(layout.offset_bytes, layout.offset_bytes))
    pending, seen = [first], {0}
    while pending:
        at = pending.pop()
        if at in seen:
            continue
        seen.add(at)
        try:
            entries = layout.directory(block, at, MOST_ENTRIES)
        except BrokenImage:
            if at == first:
                raise
            continue
        block.spend(len(entries))
        for entry in entries:
            yield from _in_entry(block, layout, entry, pending, seen)
        pending += _next(block, layout, at + layout.count_bytes + len(entries) * layout.entry_bytes)


def _layout(block: Stretch) -> _Layout:
    start = block.at(0, 4)
    orders: dict[bytes, Order] = {b"II": "little", b"MM": "big"}
    order = orders.get(start[:2])
    if order is not None and int.from_bytes(start[2:], order) == 42:
        return _Layout(order, 4, 2, 12)
    if order is not None and int.from_bytes(start[2:], order) == 43:
        return _Layout(order, 8, 8, 20)
    raise BrokenImage("The image is damaged: its EXIF does not begin like a TIFF.")


def _next(block: Stretch, layout: _Layout, at: int) -> list[int]:
    """The offset of the directory that follows one which ends at an offset."""
    return [layout.number(block.at(at, layout.offset_bytes))] if at + layout.offset_bytes <= block.length else []


def _in_entry(block: Stretch, layout: _Layout, entry: bytes, pending: list[int], seen: set[int]) -> Iterator[Patch]:
    """Location in one entry. Adds the directories that it points to, and a GPS directory to those seen."""
    tag = layout.number(entry[:2])
    if tag == GPS:
        at = _pointers(block, layout, entry)[0]
        if at not in seen:
            seen.add(at)
            yield from _emptied(block, layout, at)
    elif tag in FURTHER:
        pending += _pointers(block, layout, entry)
    elif tag == XMP and (place := layout.value(entry)):
        yield from find_in_xmp(block.part(*place))


def _pointers(block: Stretch, layout: _Layout, entry: bytes) -> list[int]:
    """The offsets that an entry holds, or points to; at least one, whatever its type."""
    place = layout.value(entry)
    width = WHOLE_NUMBERS.get(layout.number(entry[2:4]), layout.offset_bytes)
    if place is None or place[1] <= width:
        told = whole_numbers(entry, layout.order, WHOLE_NUMBERS)
        return told or [layout.number(entry[-layout.offset_bytes :])]
    listed = block.part(place[0], min(place[1], MOST_FURTHER * width))
    data = listed.at(0, listed.length)
    return [layout.number(data[at : at + width]) for at in range(0, len(data), width)] or [0]


def _emptied(block: Stretch, layout: _Layout, at: int) -> Iterator[Patch]:
    """Leaves nothing in a GPS directory but its version."""
    try:
        entries = layout.directory(block, at, MOST_GPS_ENTRIES)
    except BrokenImage:
        return
    if not entries or (len(entries) == 1 and entries[0][:2] == b"\0\0"):
        return
    for entry in entries:
        if place := layout.value(entry):
            yield from block.patch(place[0], min(place[1], MOST_VALUE_BYTES), ZERO)
    kept = (1).to_bytes(layout.count_bytes, layout.order) + _version(layout, entries[0])
    length = layout.count_bytes + len(entries) * layout.entry_bytes
    # Behind its entries, a directory says where the next one is.
    length += min(layout.offset_bytes, block.length - at - length)
    yield from block.patch(at, length, kept.ljust(length, ZERO))


def _version(layout: _Layout, first: bytes) -> bytes:
    """The entry that tells the version: the first one, if it does."""
    if first[:2] == ZERO * 2 and layout.value(first) is None:
        return first
    fields = [(0, 2), (1, 2), (len(VERSION), layout.offset_bytes)]
    return b"".join(number.to_bytes(size, layout.order) for number, size in fields) + VERSION.ljust(
        layout.offset_bytes, ZERO
    )
