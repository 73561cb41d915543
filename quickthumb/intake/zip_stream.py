"""Reads a ZIP archive as it arrives, entry by entry, in bounded memory (APPNOTE.TXT 6.3.10, PKWARE).

Entries may be stored or deflated, with their sizes before or behind the data. The directory at the end must list the
same entries: an archive that shows one thing to those who read it from its beginning, and another to those who begin
with its directory, is refused. So are archives whose entries overlap, since each byte is read once.
"""

import asyncio
import struct
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from quickthumb.intake.errors import BatchTooLarge
from quickthumb.intake.headers import clean_filename
from quickthumb.model.errors import MalformedRequest

LOCAL, CENTRAL, END, DESCRIPTOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x07\x08"
ZIP64_END, ZIP64_LOCATOR = b"PK\x06\x06", b"PK\x06\x07"
# What an archive begins with; an empty one has nothing but its end.
STARTS = (LOCAL, END)
_LOCAL = struct.Struct("<HHHHHIIIHH")
_CENTRAL = struct.Struct("<HHHHHHIIIHHHHHII")
_END = struct.Struct("<HHHHIIH")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _HAS_DESCRIPTOR, _PATCH, _STRONGLY_ENCRYPTED, _MASKED, _UTF8 = 1, 1 << 3, 1 << 5, 1 << 6, 1 << 13, 1 << 11
_UNREADABLE = _ENCRYPTED | _PATCH | _STRONGLY_ENCRYPTED | _MASKED
_IN_ZIP64, _ZIP64_FIELD = 0xFFFFFFFF, 1
# How much is inflated at once.
PIECE_BYTES = 64 * 1024
# Pictures hardly get smaller in a ZIP. What gets so much smaller, beyond the first bytes of the archive, is a bomb.
LARGEST_RATIO = 100
FREE_OF_RATIO_BYTES = 16 * 1024 * 1024
# Folders and the notes of operating systems may come between the images, but not without end.
ENTRIES_PER_IMAGE = 10


@dataclass
class Entry:
    """One file in the archive: its name without folders, and its bytes. Read all of them before the next entry."""

    name: str | None
    body: AsyncGenerator[bytes, None]


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """How many images an archive may have, and how many bytes all of its files together once they are unpacked."""

    most_images: int
    most_bytes: int


class ZipStream:
    """The archive in the chunks of `source`."""

    def __init__(self, source: AsyncIterator[bytes], limits: ZipLimits) -> None:
        self._input = _Input(source)
        self._limits = limits
        self._unpacked = 0
        # The raw name of each entry by its place in the archive.
        self._entries: dict[int, bytes] = {}

    async def entries(self) -> AsyncGenerator[Entry, None]:
        """The files in the archive, except folders and the notes that operating systems add.

        They and their bodies raise MalformedRequest for an archive that is broken, has a password or a compression
        other than deflate, and BatchTooLarge for one that unpacks to too much. The last bytes of a body come only after
        its checksum was found right.
        """
        while True:
            place = self._input.position
            signature = await self._input.exactly(4)
            if signature != LOCAL:
                await self._read_directory(signature)
                return
            header = await self._header(place)
            body = self._body(header)
            if _is_of_interest(header.name):
                yield Entry(clean_filename(header.text), body)
            async for _ in body:
                pass

    async def _header(self, place: int) -> "_Header":
        _, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes = _LOCAL.unpack(
            await self._input.exactly(_LOCAL.size)
        )
        if len(self._entries) >= ENTRIES_PER_IMAGE * self._limits.most_images:
            raise BatchTooLarge("The ZIP has too many entries.")
        name = self._entries[place] = await self._input.exactly(name_bytes)
        extra = await self._input.exactly(extra_bytes)
        if flags & _UNREADABLE:
            raise MalformedRequest("The ZIP has a password.")
        if method not in (_STORED, _DEFLATED):
            raise MalformedRequest("The ZIP has an entry whose compression is not deflate.")
        large = _zip64_sizes(extra)
        if _IN_ZIP64 in (packed, size):
            if large is None:
                raise MalformedRequest("The ZIP is broken: an entry lacks its size.")
            packed, size = large
        is_open = bool(flags & _HAS_DESCRIPTOR)
        if is_open and method == _STORED and not packed and not name.endswith(b"/"):
            raise MalformedRequest("The ZIP has an entry that is stored without its size before it.")
        return _Header(name, flags, method, crc, packed, size, is_open, large is not None)

    async def _body(self, header: "_Header") -> AsyncGenerator[bytes, None]:
        unpacked = self._stored(header.packed) if header.method == _STORED else self._inflated(header)
        began, crc, size, last = self._input.position, 0, 0, b""
        async for piece in unpacked:
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            self._count(len(piece))
            if last:
                yield last
            last = piece
        packed = self._input.position - began
        told: tuple[int, ...] = (header.crc, header.packed, header.size)
        if header.is_open:
            described = await self._descriptor(is_zip64=header.is_zip64)
            # Most programs leave zeros before the data, some tell the sizes in both places.
            agree = all(before in (0, behind) for before, behind in zip(told, described, strict=True))
            told = described if agree else ()
        if told != (crc, packed, size):
            raise MalformedRequest("The ZIP is damaged: an entry has another size or checksum than it says.")
        if last:
            yield last

    def _count(self, size: int) -> None:
        self._unpacked += size
        if self._unpacked > self._limits.most_bytes:
            raise BatchTooLarge(f"The ZIP unpacks to more than {self._limits.most_bytes} bytes.")
        if self._unpacked > FREE_OF_RATIO_BYTES and self._unpacked > LARGEST_RATIO * self._input.position:
            raise BatchTooLarge(f"The ZIP unpacks to more than {LARGEST_RATIO} times its size.")

    async def _stored(self, left: int) -> AsyncGenerator[bytes, None]:
        while left:
            piece = await self._input.some(min(left, PIECE_BYTES))
            left -= len(piece)
            yield piece

    async def _inflated(self, header: "_Header") -> AsyncGenerator[bytes, None]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        left = None if header.is_open and not header.packed else header.packed
        while not inflater.eof:
            packed = await self._input.some(PIECE_BYTES if left is None else min(left, PIECE_BYTES))
            left = None if left is None else left - len(packed)
            while packed and not inflater.eof:
                piece = _inflate(inflater, packed)
                packed = inflater.unconsumed_tail
                if piece:
                    yield piece
                if len(piece) == PIECE_BYTES:  # a few bytes may become many, and nothing may wait for all of them
                    await asyncio.sleep(0)
            # Everything may have been taken in although more is to come out.
            while piece := _inflate(inflater, b""):
                yield piece
        self._input.put_back(inflater.unused_data)

    async def _descriptor(self, *, is_zip64: bool) -> tuple[int, int, int]:
        first = await self._input.exactly(4)
        if first == DESCRIPTOR:
            first = await self._input.exactly(4)
        sizes = struct.Struct("<QQ" if is_zip64 else "<II")
        packed, size = sizes.unpack(await self._input.exactly(sizes.size))
        return int.from_bytes(first, "little"), packed, size

    async def _read_directory(self, signature: bytes) -> None:
        listed: dict[int, bytes] = {}
        while signature == CENTRAL:
            fields = _CENTRAL.unpack(await self._input.exactly(_CENTRAL.size))
            name_bytes, extra_bytes, comment_bytes, place = *fields[9:12], fields[-1]
            listed[place] = await self._input.exactly(name_bytes)
            await self._input.exactly(extra_bytes + comment_bytes)
            if len(listed) > len(self._entries):
                raise _contradiction()
            signature = await self._input.exactly(4)
        if signature == ZIP64_END:
            await self._input.exactly(min(int.from_bytes(await self._input.exactly(8), "little"), PIECE_BYTES))
            signature = await self._input.exactly(4)
        if signature == ZIP64_LOCATOR:
            await self._input.exactly(16)
            signature = await self._input.exactly(4)
        if signature != END:
            raise MalformedRequest("The ZIP is broken: something is there that is no entry.")
        await self._input.exactly(_END.unpack(await self._input.exactly(_END.size))[-1])
        if listed != self._entries:
            raise _contradiction()
        if not await self._input.is_at_end():
            raise MalformedRequest("Something follows the end of the ZIP.")


@dataclass(frozen=True, slots=True)
class _Header:
    """What an entry says of itself. The sizes and the checksum of one that `is_open` come behind its data."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    is_open: bool
    is_zip64: bool

    @property
    def text(self) -> str:
        return self.name.decode("utf-8" if self.flags & _UTF8 else "cp437", "replace")


class _Input:
    """The bytes of the archive, in pieces of any length. `position` is the number of those taken."""

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._source = source
        self._held = b""
        self._begin = 0
        self.position = 0

    async def some(self, most: int) -> bytes:
        """The next bytes, at least one. Raises MalformedRequest at the end, or if none may be taken."""
        if not most or await self.is_at_end():
            raise MalformedRequest("The ZIP is cut off.")
        piece = self._held[self._begin : self._begin + most]
        self._begin += len(piece)
        self.position += len(piece)
        return piece

    async def exactly(self, count: int) -> bytes:
        """The next `count` bytes. Raises MalformedRequest if there are fewer."""
        pieces = []
        while count:
            pieces.append(await self.some(count))
            count -= len(pieces[-1])
        return b"".join(pieces)

    def put_back(self, data: bytes) -> None:
        self._held, self._begin = data + self._held[self._begin :], 0
        self.position -= len(data)

    async def is_at_end(self) -> bool:
        while self._begin == len(self._held):
            chunk = await anext(self._source, None)
            if chunk is None:
                return True
            self._held, self._begin = chunk, 0
        return False


def _inflate(inflater: "zlib._Decompress", packed: bytes) -> bytes:
    try:
        return inflater.decompress(packed, PIECE_BYTES)
    except zlib.error:
        raise MalformedRequest("The ZIP is damaged: an entry cannot be unpacked.") from None


def _zip64_sizes(extra: bytes) -> tuple[int, int] | None:
    """The compressed size and the size in the field for large archives; None if there is no such field."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == _ZIP64_FIELD and length >= 16 and len(extra) >= 20:
            size, packed = struct.unpack_from("<QQ", extra, 4)
            return packed, size
        extra = extra[4 + length :]
    return None


def _is_of_interest(name: bytes) -> bool:
    folders, _, last = name.replace(b"\\", b"/").rpartition(b"/")
    return bool(last) and not last.startswith(b".") and last != b"Thumbs.db" and b"__MACOSX" not in folders.split(b"/")


def _contradiction() -> MalformedRequest:
    return MalformedRequest("The directory of the ZIP does not list the entries that it has.")
