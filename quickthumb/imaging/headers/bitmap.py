"""BMP and ICO, the formats of Windows."""

from quickthumb.imaging.headers.png import SIGNATURE as PNG_SIGNATURE
from quickthumb.imaging.headers.png import read_png_size
from quickthumb.imaging.headers.window import Header, Window
from quickthumb.model.errors import BrokenImage, UnsupportedImage

CORE_HEADER = 12
# BITMAPINFOHEADER and what grew from it, by length in bytes.
INFO_HEADERS = (40, 52, 56, 64, 108, 124)
NEGATIVE_HEIGHTS = 0xFF000000
MOST_ICONS = 1024
ENTRY_BYTES = 16


def read_bmp(window: Window) -> Header:
    return Header("bmp", *_bitmap_size(window, 14))


def read_ico(window: Window) -> Header:
    """The largest of the icons, which is the one that decoders take; where several are, the largest in truth."""
    count = int.from_bytes(window.at(4, 2), "little")
    if not 1 <= count <= MOST_ICONS:
        raise BrokenImage("The image is damaged: the ICO's directory is empty or far too long.")
    directory = window.at(6, count * ENTRY_BYTES)
    entries = [directory[start:][:ENTRY_BYTES] for start in range(0, len(directory), ENTRY_BYTES)]
    largest = max(map(_listed_area, entries))
    sizes = [_icon_size(window, entry) for entry in entries if _listed_area(entry) == largest]
    return Header("ico", *max(sizes, key=_area))


def _icon_size(window: Window, entry: bytes) -> tuple[int, int]:
    """The size of the icon itself, which can be more than what the directory says of it."""
    offset = int.from_bytes(entry[12:16], "little")
    if window.at(offset, len(PNG_SIGNATURE)) == PNG_SIGNATURE:
        held = read_png_size(window, offset)
    else:
        width, doubled = _bitmap_size(window, offset)
        held = (width, doubled // 2)  # an icon's bitmap has its mask below it
    return max(_listed_size(entry), held, key=_area)


def _listed_size(entry: bytes) -> tuple[int, int]:
    return entry[0] or 256, entry[1] or 256


def _listed_area(entry: bytes) -> int:
    return _area(_listed_size(entry))


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _bitmap_size(window: Window, start: int) -> tuple[int, int]:
    kind = int.from_bytes(window.at(start, 4), "little")
    fields = window.at(start + 4, 8)
    if kind == CORE_HEADER:
        return int.from_bytes(fields[0:2], "little"), int.from_bytes(fields[2:4], "little")
    if kind not in INFO_HEADERS:
        raise UnsupportedImage("The file begins like a bitmap, but is none of a kind that is read here.")
    width, height = int.from_bytes(fields[0:4], "little"), int.from_bytes(fields[4:8], "little")
    # A negative height says that the rows run from the top; what decoders do not take for one is very large.
    return width, 2**32 - height if height >= NEGATIVE_HEIGHTS else height
