"""AV1 (the bitstream specification of AOMedia, section 5): what coded pictures say of themselves, before any decoding.

A coded picture consists of units, each with its kind and length. The sequence header among them has the size at which
frames are decoded; the container's own word for the size only says how large they are shown.
"""

from collections.abc import Iterator

from quickthumb.imaging.formats.bits import Bits, Coded
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage, TooManyParts

SEQUENCE_HEADER = 1
# A frame's header alone, and a frame with its header.
FRAMES = (3, 6)
MOST_UNITS = 4096
# A unit's kind, its extension, and its length in up to eight bytes.
UNIT_HEAD_BYTES = 10
# More than the longest sequence header, which describes 32 operating points.
SEQUENCE_BYTES = 512


def read_coded(window: Window, length: int) -> Coded:
    """Reads the units in the first `length` bytes. Raises BrokenImage, and TooManyParts for too many units."""
    width = height = frames = 0
    for kind, start, size in _units(window, length):
        if kind in FRAMES:
            frames += 1
        elif kind == SEQUENCE_HEADER:
            across, down = _sequence_size(Bits(window.at(start, min(size, SEQUENCE_BYTES))))
            width, height = max(width, across), max(height, down)
    return Coded(width, height, frames)


def read_colors(window: Window, length: int) -> tuple[int, int] | None:
    """The code points of color primaries and transfer characteristics in the first sequence header; None if it has
    none. Raises BrokenImage and TooManyParts."""
    for kind, start, size in _units(window, length):
        if kind == SEQUENCE_HEADER:
            return _sequence_colors(window.at(start, min(size, SEQUENCE_BYTES)))
    return None


def _units(window: Window, length: int) -> Iterator[tuple[int, int, int]]:
    """The kind of each unit, and the offset and length of its content."""
    at = 0
    for _ in range(MOST_UNITS):
        if at >= length:
            return
        head = window.at(at, min(UNIT_HEAD_BYTES, length - at))
        kind, is_extended, has_size = head[0] >> 3 & 0b1111, head[0] >> 2 & 1, head[0] >> 1 & 1
        at += 1 + is_extended
        size = length - at
        if has_size:
            size, size_bytes = _leb128(head[1 + is_extended :])
            at += size_bytes
        if size > length - at:
            raise BrokenImage("The image is damaged: a part of its AV1 data is longer than the data.")
        yield kind, at, size
        at += size
    raise TooManyParts(f"The image's AV1 data has too many parts; at most {MOST_UNITS} are accepted.")


def _leb128(data: bytes) -> tuple[int, int]:
    """A number in groups of seven bits, least significant first, and how many bytes it takes."""
    value = 0
    for index, byte in enumerate(data[:8]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, index + 1
    raise BrokenImage("The image is damaged: a length in its AV1 data has no end.")


def _sequence_size(bits: Bits) -> tuple[int, int]:
    """The largest width and height of a sequence's frames (5.5.1)."""
    bits.take(3 + 1)  # the profile; whether it is a still
    if bits.take(1):  # a reduced header
        bits.take(5)
    else:
        _skip_operating_points(bits, _skip_timing(bits))
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


def _sequence_colors(data: bytes) -> tuple[int, int] | None:
    """What stands of colors behind the size (5.5.2)."""
    bits = Bits(data)
    _sequence_size(bits)
    profile, is_reduced = data[0] >> 5, data[0] >> 3 & 1
    _skip_tools(bits, bool(is_reduced))
    has_more_bits = bits.take(1)
    if has_more_bits and profile == 2:
        bits.take(1)  # 12 or 10 bits
    if profile != 1:
        bits.take(1)  # monochrome
    return (bits.take(8), bits.take(8)) if bits.take(1) else None


def _skip_tools(bits: Bits, is_reduced: bool) -> None:
    """Skips which tools of coding the frames use (5.5.1, behind the size)."""
    if not is_reduced and bits.take(1):  # frames have numbers
        bits.take(4 + 3)
    bits.take(3)
    if not is_reduced:
        bits.take(4)
        has_order = bits.take(1)
        bits.take(2 * has_order)
        may_be_screen = bits.take(1) or bits.take(1)
        if may_be_screen and not bits.take(1):
            bits.take(1)
        bits.take(3 * has_order)
    bits.take(3)


def _skip_timing(bits: Bits) -> int:
    """Skips the timing; returns how many bits a delay has in the decoder model, 0 if there is none (5.5.3, 5.5.4)."""
    if not bits.take(1):
        return 0
    bits.take(32 + 32)
    if bits.take(1):
        bits.take_uvlc()
    if not bits.take(1):
        return 0
    delay_bits = bits.take(5) + 1
    bits.take(32 + 5 + 5)
    return delay_bits


def _skip_operating_points(bits: Bits, delay_bits: int) -> None:
    has_display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:  # a level that has tiers
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if has_display_delay and bits.take(1):
            bits.take(4)
