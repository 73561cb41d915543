"""The directories of TIFF, of which an EXIF block consists (TIFF 6.0, section 2; Exif 2.32, section 4.6).

Values are read and written as bytes, in the byte order of their source, so text keeps its encoding: Exif allows only
ASCII in it, but cameras and editors write UTF-8 and Latin-1. Everything read here is untrusted: the number of entries
and the bytes of all values together are bounded, and offsets that lead nowhere leave out one entry. The other readers
of directories have no use for values: `location.exif` wants their places in the file, and `formats.exif` only the
orientation, from bytes that still arrive.
"""

from dataclasses import dataclass, replace

from quickthumb.imaging.formats.exif import Order
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage

SHORT, LONG, RATIONAL, ASCII = 3, 4, 5, 2
HEAD_BYTES = 8
ENTRY_BYTES = 12
MOST_ENTRIES = 4096
# The size of a value of each type, in bytes; 13 is a LONG that points to a directory, 129 is the UTF-8 of Exif 3.0.
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
# The types that BigTIFF adds, all of 64 bits, and those of 32 bits to which they are written.
_WIDE = {16: LONG, 17: 9, 18: LONG}
_ORDERS: dict[bytes, Order] = {b"II": "little", b"MM": "big"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its tag, the type of its values, and the values as bytes."""

    tag: int
    kind: int
    value: bytes


class Directories:
    """Reads the directories behind a window, which shows a block of EXIF or a TIFF file.

    All values together may have `most_bytes`. `refused` are the tags of entries that could not be read; 0 stands for
    those that are too many. Raises BrokenImage if there is no TIFF structure.
    """

    def __init__(self, window: Window, most_bytes: int) -> None:
        head = window.at(0, 4)
        order = _ORDERS.get(head[:2])
        version = int.from_bytes(head[2:4], order or "little")
        if order is None or version not in (42, 43):
            raise BrokenImage("The EXIF data is damaged.")
        self.order: Order = order
        self.refused: list[int] = []
        self._window = window
        self._is_big = version == 43
        self._left_bytes = most_bytes
        self.first = self._number(HEAD_BYTES if self._is_big else 4, self._offset_bytes)

    @property
    def _offset_bytes(self) -> int:
        return 8 if self._is_big else 4

    def read(self, start: int, passed: frozenset[int]) -> tuple[list[Entry], int]:
        """The entries of the directory at `start`, and the offset of the next directory (0: there is none).

        Those with the tags in `passed` come without their values, which are not read. Raises BrokenImage if there is
        no directory.
        """
        count_bytes, entry_bytes = (8, 20) if self._is_big else (2, ENTRY_BYTES)
        count = self.read_count(start)
        entries = []
        self.refused += [0] * (count > MOST_ENTRIES)
        for index in range(min(count, MOST_ENTRIES)):
            offset = start + count_bytes + index * entry_bytes
            tag = self._tag(offset)
            entry = Entry(tag, 0, b"") if tag in passed else self._entry(tag, offset)
            if entry is None:
                self.refused.append(tag)
            else:
                entries.append(entry)
        return entries, self._next(start + count_bytes + count * entry_bytes)

    def read_count(self, start: int) -> int:
        """How many entries the directory at `start` says it has. Raises BrokenImage if there is no directory."""
        return self._number(start, 8 if self._is_big else 2)

    def pointed_at(self, entry: Entry) -> int:
        """The offset that an entry holds; 0 if it holds anything else."""
        return int.from_bytes(entry.value, self.order) if entry.kind in (LONG, 13) and len(entry.value) == 4 else 0

    def _next(self, offset: int) -> int:
        try:
            return self._number(offset, self._offset_bytes)
        except BrokenImage:
            return 0

    def _number(self, offset: int, size: int) -> int:
        return int.from_bytes(self._window.at(offset, size), self.order)

    def _tag(self, offset: int) -> int:
        try:
            return self._number(offset, 2)
        except BrokenImage:
            return 0

    def _entry(self, tag: int, offset: int) -> Entry | None:
        try:
            kind = self._number(offset + 2, 2)
            count = self._number(offset + 4, self._offset_bytes)
            width = 8 if self._is_big and kind in _WIDE else _WIDTHS.get(kind, 0)
            value = self._value(offset + 4 + self._offset_bytes, width * count)
        except BrokenImage:
            return None
        entry = Entry(tag, kind, value)
        return None if not value else self._narrowed(entry) if kind in _WIDE else entry

    def _value(self, offset: int, size: int) -> bytes:
        if size > self._left_bytes:
            return b""
        if size > self._offset_bytes:
            offset = self._number(offset, self._offset_bytes)
        value = self._window.at(offset, size)
        self._left_bytes -= size
        return value

    def _narrowed(self, entry: Entry) -> Entry | None:
        """An entry of 64-bit numbers with as many of 32 bits; None if they do not fit."""
        signed = entry.kind == 17
        values = [entry.value[at : at + 8] for at in range(0, len(entry.value), 8)]
        try:
            numbers = [int.from_bytes(value, self.order, signed=signed) for value in values]
            written = b"".join(number.to_bytes(4, self.order, signed=signed) for number in numbers)
        except OverflowError:
            return None
        return Entry(entry.tag, _WIDE[entry.kind], written)


def write(order: Order, main: list[Entry], parts: dict[int, list[Entry]]) -> bytes:
    """A TIFF structure of one directory, `main`, and of the parts that its pointers lead to, by the pointers' tags.

    Of several entries with one tag, the first is written. Empty if there are no entries.
    """
    parts = {tag: entries for tag, entries in parts.items() if entries}
    if not main and not parts:
        return b""
    pointers = [Entry(tag, LONG, bytes(4)) for tag in parts]
    start = HEAD_BYTES + len(_directory(order, [*main, *pointers], HEAD_BYTES))
    written = b""
    for index, (pointer, entries) in enumerate(zip(pointers, parts.values(), strict=True)):
        offset = start + len(written)
        pointers[index] = replace(pointer, value=offset.to_bytes(4, order))
        written += _directory(order, entries, offset)
    head = (b"II" if order == "little" else b"MM") + (42).to_bytes(2, order) + HEAD_BYTES.to_bytes(4, order)
    return head + _directory(order, [*main, *pointers], HEAD_BYTES) + written


def _directory(order: Order, entries: list[Entry], start: int) -> bytes:
    """A directory that lies at `start`, with its values behind it, each at an even offset."""
    sole = {entry.tag: entry for entry in reversed(entries)}
    table, values = bytearray(len(sole).to_bytes(2, order)), bytearray()
    behind = start + 2 + len(sole) * ENTRY_BYTES + 4
    for tag in sorted(sole):
        entry = sole[tag]
        count = len(entry.value) // _WIDTHS[entry.kind]
        table += tag.to_bytes(2, order) + entry.kind.to_bytes(2, order) + count.to_bytes(4, order)
        if len(entry.value) <= 4:
            table += entry.value.ljust(4, b"\0")
        else:
            table += (behind + len(values)).to_bytes(4, order)
            values += entry.value + b"\0" * (len(entry.value) % 2)
    return bytes(table + bytes(4) + values)
