"""TIFF 6.0 and BigTIFF: size and orientation are tags of the first directory, which can be anywhere in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quickthumb.imaging.formats.exif import ORIENTATION_TAG, WHOLE_NUMBERS, Order, sensible, whole_numbers
from quickthumb.imaging.formats.row import Decoder, Format, Header, Window
from quickthumb.model.errors import BrokenImage

if TYPE_CHECKING:
    from PIL import Image

IMAGE_WIDTH = 256
IMAGE_LENGTH = 257
# A side can also be a BYTE.
SIDES = {1: 1, **WHOLE_NUMBERS}
MOST_TAGS = 4096
_PHOTOMETRIC, _CIELAB = 262, 8


def read_header(window: Window) -> Header:
    """Size and orientation from the tags of the first directory."""
    start = window.at(0, 4)
    order: Order = "little" if start[:2] == b"II" else "big"
    # The sizes in bytes of what BigTIFF widened: offsets, the directory's count, one entry.
    big = int.from_bytes(start[2:4], order) == 43
    first, offset_bytes, count_bytes, entry_bytes = (8, 8, 8, 20) if big else (4, 4, 2, 12)
    directory = int.from_bytes(window.at(first, offset_bytes), order)
    count = int.from_bytes(window.at(directory, count_bytes), order)
    if not 1 <= count <= MOST_TAGS:
        raise BrokenImage("The image is damaged: the TIFF's directory is empty or far too long.")
    entries = window.at(directory + count_bytes, count * entry_bytes)
    return _told_by([entries[begin : begin + entry_bytes] for begin in range(0, len(entries), entry_bytes)], order)


def _told_by(entries: list[bytes], order: Order) -> Header:
    sides = {IMAGE_WIDTH: 0, IMAGE_LENGTH: 0}
    turned: list[int] = []
    for entry in entries:
        tag = int.from_bytes(entry[:2], order)
        if tag in sides:
            values = whole_numbers(entry, order, SIDES)
            if len(values) != 1:
                raise BrokenImage("The image is damaged: the TIFF's size is not a number.")
            # If a tag is repeated, the larger value counts: a decoder may take either.
            sides[tag] = max(sides[tag], values[0])
        elif tag == ORIENTATION_TAG and not turned:
            turned = whole_numbers(entry, order, WHOLE_NUMBERS)
    return Header("tiff", sides[IMAGE_WIDTH], sides[IMAGE_LENGTH], sensible(turned))


def _set_up() -> None:
    """Lets Pillow open 16-bit CIELAB, which it cannot by itself: as three plain channels, keeping their high bytes."""
    from PIL import TiffImagePlugin

    for order, rawmode in ((b"II", "RGB;16L"), (b"MM", "RGB;16B")):
        TiffImagePlugin.OPEN_INFO.setdefault((order, 8, (1,), 1, (16, 16, 16), ()), ("RGB", rawmode))


def _color_space(image: Image.Image) -> str:
    plain = image.mode == "RGB" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _CIELAB
    return "CIELAB" if plain or image.mode == "LAB" else ""


TIFF = Format(
    name="tiff",
    media_type="image/tiff",
    extensions=("tif", "tiff"),
    signatures=(b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    read_header=read_header,
    decoder=Decoder(
        pillow=("TIFF",),
        set_up=_set_up,
        undecodable=(b"MM\x00+",),
        color_space=_color_space,
        turns_upright=True,
        has_pages=True,
    ),
)
