"""Location in a PNG: in its chunks of EXIF and of text. Every chunk that changes gets its new checksum.

A chunk that cannot be patched in its place becomes a chunk of zeros under a name that no program knows. Unlike what
decodes, this goes on behind a head that is none, and into a chunk that is cut: other programs may read more of a file.
"""

import zlib
from collections.abc import Generator, Iterator

from quickthumb.imaging.formats.png import RAW_PROFILE
from quickthumb.imaging.formats.png_chunks import CHECKSUM_BYTES, END, HEAD_BYTES, PIXELS, SIGNATURE
from quickthumb.imaging.formats.png_faults import TEXTS
from quickthumb.imaging.formats.png_orientation import XMP
from quickthumb.imaging.location.exif import find_in_exif
from quickthumb.imaging.location.marks import find_marked
from quickthumb.imaging.location.patches import ZERO, Bounded, Patch, Patches, Stretch
from quickthumb.imaging.location.texts import packed_into, unpacked, without_location
from quickthumb.imaging.location.xmp import LOCATED_NAME, STEP_BYTES

# A longer chunk of metadata, packed or not, is emptied without a look into it.
MOST_CHUNK_BYTES = 16 * 1024 * 1024
# The keys under which ImageMagick stores blocks of metadata, in hexadecimal digits; it reads them in any case.
PROFILES = RAW_PROFILE.lower().encode()
# A draft's form of EXIF, which may be packed.
DRAFT = b"zxIf"
# By its letters' case: no decoder needs it, nobody registered it, and editors may copy it.
NOTHING = b"noNe"


def find_in_png(window: Bounded) -> Iterator[Patch]:
    """Location in a PNG, and in what follows it. Raises TooInvolved."""
    end = yield from find_in_chunks(window, 0)
    yield from find_marked(window, end, window.size)


def find_in_chunks(window: Bounded, start: int) -> Generator[Patch, None, int]:
    """Location in the chunks of the PNG that begins at `start`; returns where it ends. Raises TooInvolved."""
    offset, name = start + len(SIGNATURE), b""
    while offset + HEAD_BYTES <= window.size and name != END:
        head = window.at(offset, HEAD_BYTES)
        content, name = offset + HEAD_BYTES, head[4:]
        # A chunk may be cut.
        length = min(int.from_bytes(head[:4], "big"), window.size - content)
        if name not in PIXELS and length:
            yield from _checked(window, name, content, length)
        offset = content + length + CHECKSUM_BYTES
    return min(offset, window.size)


def _checked(window: Bounded, name: bytes, start: int, length: int) -> Iterator[Patch]:
    """Location in one chunk, and the checksum that it then has."""
    chunk = Stretch(window, [(start, length)])
    patches = None if length > MOST_CHUNK_BYTES else _in_chunk(chunk, window, name, start)
    if patches is None:
        yield from _emptied(start, length)
    elif patches:
        yield from patches
        content = Patches(patches).apply(chunk.at(0, length), start)
        yield _checksum(start + length, zlib.crc32(content, zlib.crc32(name)))


def _in_chunk(chunk: Stretch, window: Bounded, name: bytes, start: int) -> list[Patch] | None:
    """Location in a chunk; None if it holds some that cannot be patched in its place."""
    if name == b"eXIf":
        return list(find_in_exif(chunk))
    if name == DRAFT:
        return None
    told = _in_text(chunk, name) if name in TEXTS else []
    return list(find_marked(window, start, start + chunk.length)) if told == [] else told


def _in_text(chunk: Stretch, name: bytes) -> list[Patch] | None:
    """What `_in_chunk` says, of a text."""
    content = chunk.at(0, chunk.length)
    key, _, rest = content.partition(b"\0")
    if LOCATED_NAME.search(key):
        return None
    in_digits = key.lower().startswith(PROFILES)
    if key != XMP and not in_digits:
        return []
    text = _text(name, rest)
    packed = name == b"zTXt" or (name == b"iTXt" and rest[:1] == b"\1")
    plain = unpacked(text, MOST_CHUNK_BYTES) if packed else text
    if plain is None:
        return None
    chunk.spend(len(plain) // STEP_BYTES)
    clean = without_location(plain, in_digits=in_digits)
    if clean is plain:
        return []
    told = packed_into(clean, len(text)) if clean is not None and packed else clean
    return None if told is None else list(chunk.patch(len(content) - len(text), len(text), told))


def _text(name: bytes, rest: bytes) -> bytes:
    """The text of a chunk, perhaps packed, from what follows its key: in a zTXt one flag, in an iTXt two, a language
    and the key in that language."""
    if name == b"iTXt":
        return rest[2:].split(b"\0", 2)[-1]
    return rest[1:] if name == b"zTXt" else rest


def _emptied(start: int, length: int) -> Iterator[Patch]:
    yield Patch(start - 4, 4, NOTHING)
    yield Patch(start, length, ZERO)
    checksum = zlib.crc32(NOTHING)
    for done in range(0, length, MOST_CHUNK_BYTES):
        checksum = zlib.crc32(ZERO * min(MOST_CHUNK_BYTES, length - done), checksum)
    yield _checksum(start + length, checksum)


def _checksum(at: int, checksum: int) -> Patch:
    return Patch(at, 4, checksum.to_bytes(4, "big"))
