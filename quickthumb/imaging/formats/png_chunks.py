"""The chunks of a PNG file, found by their heads: no content is read, and none is unpacked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from quickthumb.imaging.formats.watch import Allowance
from quickthumb.model.errors import BrokenImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Length and name.
HEAD_BYTES = 8
CHECKSUM_BYTES = 4
# Encoders cut pixels into chunks of 8 KiB or more; Pillow takes about 10 µs for each.
MOST_SHORT_CHUNKS = 10_000
AVERAGE_CHUNK_BYTES = 1024

PIXELS = (b"IDAT", b"fdAT")
END = b"IEND"


class ChunkCount:
    """Counts the chunks of a file. Raises BrokenImage at a second header: decoders would believe that one."""

    def __init__(self) -> None:
        self._chunks = Allowance("chunks", MOST_SHORT_CHUNKS, AVERAGE_CHUNK_BYTES)
        self._is_first = True

    def take(self, name: bytes, length: int) -> None:
        """Counts a chunk. Raises TooManyParts."""
        self._chunks.take(length)
        if name == b"IHDR" and not self._is_first:
            raise BrokenImage("The image is damaged: the PNG has two headers.")
        self._is_first = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk: its name, the offset of its first byte in the file, and the length of its content."""

    name: bytes
    start: int
    length: int

    @property
    def content_start(self) -> int:
        return self.start + HEAD_BYTES

    @property
    def end(self) -> int:
        """The offset behind the checksum."""
        return self.content_start + self.length + CHECKSUM_BYTES

    @property
    def is_ancillary(self) -> bool:
        """Whether the pixels can be shown without this chunk (ISO 15948, 5.4)."""
        return bool(self.name[0] & 0x20)


def read_chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks from the first to the end marker, or to a head that the file cuts off or that is none.

    `file` should not be buffered: few bytes are read at many places. Raises TooManyParts and BrokenImage.
    """
    count, start = ChunkCount(), len(SIGNATURE)
    while True:
        file.seek(start)
        head = file.read(HEAD_BYTES)
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if len(head) < HEAD_BYTES or not (name.isascii() and name.isalpha()):
            return
        count.take(name, length)
        chunk = Chunk(name, start, length)
        yield chunk
        if name == END:
            return
        start = chunk.end
