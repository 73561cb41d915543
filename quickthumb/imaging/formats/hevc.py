"""HEVC (ITU-T H.265): what coded pictures say of themselves, before any decoding.

A coded picture consists of units (NAL units): parameter sets, which come with the item's properties, among its data, or
both, and slices. A sequence parameter set has the size at which pictures are decoded; the container's own word for the
size only says how large they are shown.
"""

from collections.abc import Iterator

from quickthumb.imaging.formats.bits import Bits, Coded
from quickthumb.imaging.formats.boxes import Box
from quickthumb.imaging.formats.watch import Allowance
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage, TooManyParts, UnsupportedImage

SEQUENCE_PARAMETERS = 33
# Units of kinds below this are slices.
KINDS_OF_SLICES = 32
MOST_UNITS = 4096
# A picture of a camera is one slice. Each may go over the whole picture once more.
MOST_SLICES, BYTES_PER_SLICE = 32, 1024
# The configuration: what all pictures have in common, then lists of units.
CONFIGURATION_BYTES = 22
LENGTH_BYTES = 4
MOST_CONFIGURATION_BYTES = 64 * 1024
# More than the profile, the levels and the size of any sequence.
SEQUENCE_BYTES = 256
UNIT_HEAD_BYTES = 3
# A profile with its flags, and a level.
PROFILE_BITS, LEVEL_BITS = 88, 8
MOST_LAYERS = 8
SEPARATE_PLANES = 3


def read_coded(window: Window, length: int, configuration: bytes) -> Coded:
    """Reads the units in the first `length` bytes of an item's data, and those in its configuration (`hvcC`).

    Raises BrokenImage, TooManyParts for too many units or slices, and UnsupportedImage for lengths of units that the
    decoder does not expect.
    """
    width = height = frames = 0
    slices = Allowance("slices", MOST_SLICES, BYTES_PER_SLICE)
    for unit, size in (*_configured(configuration), *_units(window, length)):
        kind, layer = unit[0] >> 1 & 0b111111, (unit[0] & 1) << 5 | unit[1] >> 3
        if layer:  # another view, or a finer one, which is not decoded
            continue
        if kind == SEQUENCE_PARAMETERS:
            across, down = _sequence_size(Bits(_without_guards(unit[2:])))
            width, height = max(width, across), max(height, down)
        elif kind < KINDS_OF_SLICES:
            slices.take(size)
            frames += unit[2] >> 7  # the first slice of a picture
    return Coded(width, height, frames)


def configuration_of(window: Window, box: Box) -> bytes:
    """The content of a box `hvcC`."""
    length = (box.end or 0) - box.content
    if not CONFIGURATION_BYTES < length <= MOST_CONFIGURATION_BYTES:
        raise BrokenImage("The image is damaged: the configuration of its HEVC data has an impossible length.")
    return window.at(box.content, length)


def _configured(configuration: bytes) -> Iterator[tuple[bytes, int]]:
    """The start of each unit in the configuration, and its length."""
    if configuration[CONFIGURATION_BYTES - 1] & 0b11 != LENGTH_BYTES - 1:
        raise UnsupportedImage("The lengths in the image's HEVC data do not have 4 bytes each, which is not supported.")
    at = CONFIGURATION_BYTES + 1
    for _ in range(configuration[CONFIGURATION_BYTES]):
        count = int.from_bytes(configuration[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            size = int.from_bytes(configuration[at : at + 2], "big")
            if at + 2 + size > len(configuration):
                raise BrokenImage("The image is damaged: the configuration of its HEVC data ends too early.")
            if size >= UNIT_HEAD_BYTES:
                yield configuration[at + 2 : at + 2 + min(size, SEQUENCE_BYTES)], size
            at += 2 + size


def _units(window: Window, length: int) -> Iterator[tuple[bytes, int]]:
    """The start of each unit in the data, and its length."""
    at = 0
    for _ in range(MOST_UNITS):
        if at >= length:
            return
        size = int.from_bytes(window.at(at, LENGTH_BYTES), "big")
        at += LENGTH_BYTES
        if size > length - at:
            raise BrokenImage("The image is damaged: a part of its HEVC data is longer than the data.")
        if size >= UNIT_HEAD_BYTES:
            window.at(at + size - 1, 1)  # all of it is there
            is_long = window.at(at, 1)[0] >> 1 & 0b111111 == SEQUENCE_PARAMETERS
            yield window.at(at, min(size, SEQUENCE_BYTES if is_long else UNIT_HEAD_BYTES)), size
        at += size
    raise TooManyParts(f"The image's HEVC data has too many parts; at most {MOST_UNITS} are accepted.")


def _without_guards(data: bytes) -> bytes:
    """The data without the bytes that keep it from looking like the start of a unit (7.4.2)."""
    return data.replace(b"\0\0\3", b"\0\0")


def _sequence_size(bits: Bits) -> tuple[int, int]:
    """Width and height of a sequence's pictures as they are decoded (7.3.2.2)."""
    bits.take(4)  # the number of the video parameter set
    layers = bits.take(3)
    bits.take(1)
    _skip_profiles(bits, layers)
    bits.take_uvlc()  # the number of the set
    if bits.take_uvlc() == SEPARATE_PLANES:
        bits.take(1)
    return bits.take_uvlc(), bits.take_uvlc()


def _skip_profiles(bits: Bits, layers: int) -> None:
    """Skips the profiles and levels of a sequence and of its layers but one (7.3.3)."""
    bits.take(PROFILE_BITS + LEVEL_BITS)
    told = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.take(2 * (MOST_LAYERS - layers))
    for has_profile, has_level in told:
        bits.take(PROFILE_BITS * has_profile + LEVEL_BITS * has_level)
