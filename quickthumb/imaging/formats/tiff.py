"""TIFF 6.0 and BigTIFF: size and orientation are tags of the first directory, which can be anywhere in the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from quickthumb.imaging.formats.exif import ORIENTATION_TAG, WHOLE_NUMBERS, Order, sensible, whole_numbers
from quickthumb.imaging.formats.partial import recover_part
from quickthumb.imaging.formats.row import Decoder, Format, Header
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import BrokenImage, TooManyParts

if TYPE_CHECKING:
    from PIL import Image

IMAGE_WIDTH = 256
IMAGE_LENGTH = 257
# A side can also be a BYTE.
SIDES = {1: 1, **WHOLE_NUMBERS}
MOST_TAGS = 4096
# The lists of strips and of tiles. Pillow takes about 20 µs for each. Encoders make strips and tiles of 8 KiB or more,
# or one strip for each row.
PIECES = (273, 324)
MOST_SMALL_PIECES = 16_384
PIECE_PIXELS = 256
# Tiles are rounded up to multiples of 16, and a small picture may lie in one tile of the usual size.
TILE_WIDTH = 322
TILE_LENGTH = 323
TILE_PIXELS = 1_000_000
PADDING_PIXELS = 64
# JPEGs within a TIFF may have as many scans; libtiff reads this, and accepts 100 by default.
_MOST_SCANS = ("LIBTIFF_JPEG_MAX_ALLOWED_SCAN_NUMBER", "24")
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
    listed = [entries[begin : begin + entry_bytes] for begin in range(0, len(entries), entry_bytes)]
    header = _told_by(listed, order)
    _check_pieces(listed, order, header)
    return header


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


def _check_pieces(entries: list[bytes], order: Order, header: Header) -> None:
    """Raises TooManyParts for far more strips or tiles than the picture needs, and BrokenImage for a tile that is far
    larger than the picture: decoders take memory for the whole tile."""
    most = MOST_SMALL_PIECES + header.width * header.height // PIECE_PIXELS
    sides = {TILE_WIDTH: 0, TILE_LENGTH: 0}
    for entry in entries:
        tag = int.from_bytes(entry[:2], order)
        if tag in PIECES:
            count = int.from_bytes(entry[4 : 4 + (len(entry) - 4) // 2], order)
            if count > most:
                raise TooManyParts(f"The TIFF has {count} strips or tiles; at most {most} are accepted at its size.")
        elif tag in sides:
            sides[tag] = max([sides[tag], *whole_numbers(entry, order, SIDES)])
    largest = max(TILE_PIXELS, (header.width + PADDING_PIXELS) * (header.height + PADDING_PIXELS))
    if sides[TILE_WIDTH] * sides[TILE_LENGTH] > largest:
        raise BrokenImage("The image is damaged: the tiles of the TIFF are far larger than its picture.")


def _set_up() -> None:
    """Lets Pillow open 16-bit CIELAB, which it cannot by itself: as three plain channels, keeping their high bytes; and
    gray of 12 bits in big-endian files. Bounds the scans of JPEGs within a TIFF. Registers our own reader."""
    os.environ.setdefault(*_MOST_SCANS)
    from PIL import TiffImagePlugin

    from quickthumb.imaging.formats import tiff_file

    for order, rawmode in ((b"II", "RGB;16L"), (b"MM", "RGB;16B")):
        TiffImagePlugin.OPEN_INFO.setdefault((order, 8, (1,), 1, (16, 16, 16), ()), ("RGB", rawmode))
    TiffImagePlugin.OPEN_INFO.setdefault((b"MM", 1, (1,), 1, (12,), ()), ("I;16", "I;12"))
    tiff_file.set_up()


def _color_space(image: Image.Image) -> str:
    own = getattr(image, "own", None)
    if own is not None:
        return "CIELAB" if own.is_cielab else "CMYK" if own.converts_ink else ""
    plain = image.mode == "RGB" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _CIELAB
    return "CIELAB" if plain or image.mode == "LAB" else ""


TIFF = Format(
    name="tiff",
    media_type="image/tiff",
    extensions=("tif", "tiff"),
    signatures=(b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    read_header=read_header,
    decoder=Decoder(
        pillow=("QUICKTHUMB_TIFF", "TIFF"),
        set_up=_set_up,
        color_space=_color_space,
        turns_upright=True,
        recover=recover_part,
        has_pages=True,
    ),
)
