"""The two numbers in the camera's note of an iPhone that say how to apply Apple's gain map.

Apple's formula for the headroom takes them
(https://developer.apple.com/documentation/appkit/applying-apple-hdr-effect-to-your-photos). Chrome looks nowhere else,
and Safari looks elsewhere only in newer files. The rest of the note tells about the phone, so a result gets a note of
these two alone.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from quickthumb.imaging.formats.exif import ENTRY_BYTES, PREFIX

_ORDERS: dict[bytes, Literal["<", ">"]] = {b"II*\0": "<", b"MM\0*": ">"}
_EXIF, _NOTE = 0x8769, 0x927C
_LONG, _UNDEFINED, _SIGNED_RATIONAL = 4, 7, 10
_SIGNATURE = b"Apple iOS\0\0\1MM"
_TAGS = (33, 48)
_MOST_ENTRIES = 1024
_EMPTY = b"MM\0*\0\0\0\x08" + bytes(2 + 4)


@dataclass(slots=True)
class _Directory:
    """A directory of a TIFF: its entries as they stand there, and the offset of the next directory."""

    entries: list[bytes]
    following: int = 0


def headroom_note(exif: bytes) -> bytes:
    """A note with nothing but the two numbers of the note in an EXIF block; empty if it does not have both."""
    try:
        note = _note_of(exif.removeprefix(PREFIX))
        values = dict(_signed_rationals(note)) if note.startswith(_SIGNATURE) else {}
        numbers = [values[tag] for tag in _TAGS]
    except (struct.error, KeyError):
        return b""
    start = len(_SIGNATURE) + 2 + len(_TAGS) * ENTRY_BYTES + 4
    entries = (struct.pack(">HHII", tag, _SIGNED_RATIONAL, 1, start + 8 * at) for at, tag in enumerate(_TAGS))
    return b"".join((_SIGNATURE, struct.pack(">H", len(_TAGS)), *entries, bytes(4), *numbers))


def with_note(exif: bytes, note: bytes) -> bytes:
    """The EXIF block (it may be empty) with that note, unless it has one. What is in it stays where it is, because its
    offsets count on it; what is new comes behind it. Returns a damaged block unchanged."""
    block = exif.removeprefix(PREFIX) or _EMPTY
    try:
        return PREFIX + _extended(block, note)
    except (struct.error, KeyError):
        return exif


def _extended(block: bytes, note: bytes) -> bytes:
    order = _ORDERS[block[:4]]
    first = _directory(block, order, struct.unpack_from(order + "I", block, 4)[0])
    at = _pointer(first, order, _EXIF)
    inner = _directory(block, order, at) if at else _Directory([])
    if any(_tag(entry, order) == _NOTE for entry in inner.entries):
        return block
    block += bytes(len(block) % 2)
    inner.entries.append(struct.pack(order + "HHII", _NOTE, _UNDEFINED, len(note), len(block)))
    block += note + bytes(len(note) % 2)
    pointer = struct.pack(order + "HHII", _EXIF, _LONG, 1, len(block))
    block += _written(inner, order)
    first.entries = [entry for entry in first.entries if _tag(entry, order) != _EXIF] + [pointer]
    return block[:4] + struct.pack(order + "I", len(block)) + block[8:] + _written(first, order)


def _note_of(block: bytes) -> bytes:
    order = _ORDERS[block[:4]]
    first = _directory(block, order, struct.unpack_from(order + "I", block, 4)[0])
    at = _pointer(first, order, _EXIF)
    for entry in _directory(block, order, at).entries if at else ():
        if _tag(entry, order) == _NOTE:
            length, offset = struct.unpack_from(order + "II", entry, 4)
            return block[offset : offset + length]
    return b""


def _signed_rationals(note: bytes) -> Iterator[tuple[int, bytes]]:
    """The tags of a note with one signed fraction each, and the eight bytes of that."""
    for entry in _directory(note, ">", len(_SIGNATURE)).entries:
        tag, kind, count, offset = struct.unpack(">HHII", entry)
        if (kind, count) == (_SIGNED_RATIONAL, 1) and offset + 8 <= len(note):
            yield tag, note[offset : offset + 8]


def _directory(block: bytes, order: str, at: int) -> _Directory:
    (count,) = struct.unpack_from(order + "H", block, at)
    end = at + 2 + min(count, _MOST_ENTRIES) * ENTRY_BYTES
    entries = [block[start : start + ENTRY_BYTES] for start in range(at + 2, end, ENTRY_BYTES)]
    return _Directory(entries, struct.unpack_from(order + "I", block, end)[0])


def _pointer(directory: _Directory, order: str, tag: int) -> int:
    entry = next((entry for entry in directory.entries if _tag(entry, order) == tag), None)
    return int(struct.unpack_from(order + "I", entry, 8)[0]) if entry else 0


def _tag(entry: bytes, order: str) -> int:
    return int(struct.unpack_from(order + "H", entry)[0])


def _written(directory: _Directory, order: str) -> bytes:
    entries = sorted(directory.entries, key=lambda entry: _tag(entry, order))
    lead, trail = struct.pack(order + "H", len(entries)), struct.pack(order + "I", directory.following)
    return b"".join((lead, *entries, trail))
