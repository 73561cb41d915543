"""BMP: Windows bitmaps."""

from quickthumb.imaging.formats.row import Decoder, Format, Header, Window
from quickthumb.model.errors import UnsupportedImage

FILE_HEADER_BYTES = 14
CORE_HEADER = 12
# BITMAPINFOHEADER and its extensions, by length in bytes.
INFO_HEADERS = (40, 52, 56, 64, 108, 124)
NEGATIVE_HEIGHTS = 0xFF000000


def read_header(window: Window) -> Header:
    return Header("bmp", *bitmap_size(window, FILE_HEADER_BYTES))


def bitmap_size(window: Window, start: int) -> tuple[int, int]:
    """Width and height from the bitmap header at `start`."""
    kind = int.from_bytes(window.at(start, 4), "little")
    fields = window.at(start + 4, 8)
    if kind == CORE_HEADER:
        return int.from_bytes(fields[0:2], "little"), int.from_bytes(fields[2:4], "little")
    if kind not in INFO_HEADERS:
        raise UnsupportedImage("The file begins like a bitmap, but this BMP variant is not supported.")
    width, height = int.from_bytes(fields[0:4], "little"), int.from_bytes(fields[4:8], "little")
    # A negative height means that the rows run from top to bottom. Like Pillow, this takes a height for negative only
    # if its highest byte is 0xFF; other heights above 2³¹ are just very large.
    return width, 2**32 - height if height >= NEGATIVE_HEIGHTS else height


BMP = Format(
    name="bmp",
    media_type="image/bmp",
    extensions=("bmp", "dib"),
    signatures=(b"BM",),
    read_header=read_header,
    decoder=Decoder(pillow=("BMP",)),
)
