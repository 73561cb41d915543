"""Location in the texts of a PNG that hold whole blocks of metadata: as XMP, or in ImageMagick's hexadecimal digits.

A text that was packed is packed again, into as many bytes as before: without location it packs better, and blocks that
unpack to nothing (RFC 1951) stand before it, to fill what is left.
"""

import zlib

from quickthumb.imaging.formats.exif import PREFIX
from quickthumb.imaging.formats.window import Prefix
from quickthumb.imaging.location.exif import find_in_exif
from quickthumb.imaging.location.patches import SPACE, Bounded, Patches, Stretch
from quickthumb.imaging.location.xmp import spans

# How a block of EXIF begins; other profiles hold XMP, IPTC and the like.
BLOCKS = (PREFIX, b"II", b"MM")
PROFILE_LINES = 3
# What may stand between the digits.
FILLING = b" \t\r\n\0"
# Blocks of a packed text that unpack to nothing: a stored one, and one with fixed codes before it.
_FIVE, _SIX = b"\0\0\0\xff\xff", b"\2\0\0\0\xff\xff"
_HEAD = b"\x78\xda"
# zlib's levels of effort and of memory. Another way may leave a length that can be filled; that of a long text, which
# takes long to pack, can be in the first.
_WAYS = tuple((effort, memory) for effort in (9, 6, 5, 4) for memory in (9, 8, 6, 5, 4, 3, 2, 1))
_MOST_TRIED_BYTES = 64 * 1024


def without_location(text: bytes, *, in_digits: bool) -> bytes | None:
    """A text of the same length that says no place; the same object if it says none. None if it cannot be read."""
    if not in_digits:
        return _packet(text)
    head = text.split(b"\n", PROFILE_LINES)[:-1]
    start = sum(len(line) + 1 for line in head)
    try:
        # Behind the digits may be anything: some programs let other bytes follow.
        digits = text[start:].translate(None, delete=FILLING)[: 2 * int(head[-1])]
        block = bytes.fromhex(digits.decode("ascii"))
    except (ValueError, IndexError):
        return None
    clean = _block(block)
    if clean is block:
        return text
    told = iter(clean.hex().encode())
    return text[:start] + bytes(old if old in FILLING else next(told, old) for old in text[start:])


def _packet(text: bytes) -> bytes:
    found = spans(text)
    if not found:
        return text
    clean = bytearray(text)
    for begin, end in found:
        clean[begin:end] = SPACE * (end - begin)
    return bytes(clean)


def _block(block: bytes) -> bytes:
    if not block.startswith(BLOCKS):
        return _packet(block)
    window = Bounded(Prefix(block, complete=True), len(block))
    return Patches(find_in_exif(Stretch(window, [(0, len(block))]))).apply(block)


def unpacked(packed: bytes, most_bytes: int) -> bytes | None:
    """The text; None if it cannot be unpacked, or is longer."""
    try:
        text = zlib.decompressobj().decompress(packed, most_bytes + 1)
    except zlib.error:
        return None
    return None if len(text) > most_bytes else text


def packed_into(text: bytes, length: int) -> bytes | None:
    """The text packed into exactly so many bytes; None if they are too few, or cannot be filled."""
    checksum = zlib.adler32(text).to_bytes(4, "big")
    for effort, memory in _WAYS if len(text) <= _MOST_TRIED_BYTES else _WAYS[:1]:
        packing = zlib.compressobj(effort, wbits=-zlib.MAX_WBITS, memLevel=memory)
        body = packing.compress(text) + packing.flush()
        left = length - len(_HEAD) - len(body) - len(checksum)
        sixes = left % 5
        fives = (left - 6 * sixes) // 5
        if left >= 0 and fives >= 0:
            return _HEAD + _FIVE * fives + _SIX * sixes + body + checksum
    return None
