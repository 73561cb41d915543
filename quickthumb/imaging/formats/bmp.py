"""BMP: Windows bitmaps."""

from quickthumb.imaging.formats.partial import recover_part
from quickthumb.imaging.formats.row import Decoder, Format, Header
from quickthumb.imaging.formats.watch import Steps
from quickthumb.imaging.formats.window import Window
from quickthumb.model.errors import TooManyParts, TooManyPixels, UnsupportedImage
from quickthumb.model.limits import Limits

FILE_HEADER_BYTES = 14
CORE_HEADER = 12
# BITMAPINFOHEADER and its extensions, by length in bytes.
INFO_HEADERS = (40, 52, 56, 64, 108, 124)
NEGATIVE_HEIGHTS = 0xFF000000
# Where the compression is, counted from the bitmap's header, and the kinds of run-length encoding. Pillow decodes these
# in Python: it takes about 0.1 µs for each pixel, 0.7 µs for each run, and keeps other threads waiting meanwhile.
COMPRESSION = 16
RUN_LENGTHS = (1, 2)
MOST_RUN_PIXELS = 4_000_000
MOST_RUN_BYTES = 1024 * 1024


def read_header(window: Window) -> Header:
    return Header("bmp", *bitmap_size(window, FILE_HEADER_BYTES))


def bitmap_size(window: Window, start: int) -> tuple[int, int]:
    """Width and height from the bitmap header at `start`."""
    return _sides(int.from_bytes(window.at(start, 4), "little"), window.at(start + 4, 8))


def _sides(kind: int, fields: bytes) -> tuple[int, int]:
    if kind == CORE_HEADER:
        return int.from_bytes(fields[0:2], "little"), int.from_bytes(fields[2:4], "little")
    if kind not in INFO_HEADERS:
        raise UnsupportedImage("The file begins like a bitmap, but this BMP variant is not supported.")
    width, height = int.from_bytes(fields[0:4], "little"), int.from_bytes(fields[4:8], "little")
    # A negative height means that the rows run from top to bottom. Like Pillow, this takes a height for negative only
    # if its highest byte is 0xFF; other heights above 2³¹ are just very large.
    return width, 2**32 - height if height >= NEGATIVE_HEIGHTS else height


def has_runs(window: Window, start: int) -> bool:
    """Whether the bitmap whose header is at `start` is run-length encoded."""
    if int.from_bytes(window.at(start, 4), "little") == CORE_HEADER:
        return False
    return int.from_bytes(window.at(start + COMPRESSION, 4), "little") in RUN_LENGTHS


def watch(_: Limits) -> Steps:
    """Bounds the pixels and the bytes of a run-length encoded bitmap."""
    kind = int.from_bytes((yield FILE_HEADER_BYTES, 4), "little")
    width, height = _sides(kind, (yield 0, 8))
    if kind == CORE_HEADER or int.from_bytes((yield COMPRESSION - 12, 4), "little") not in RUN_LENGTHS:
        return
    if width * height > MOST_RUN_PIXELS:
        raise TooManyPixels(
            f"A run-length encoded bitmap of {width} × {height} pixels is too large; at most {MOST_RUN_PIXELS} pixels "
            "are accepted. Save it without compression, or as PNG."
        )
    yield MOST_RUN_BYTES, 1
    raise TooManyParts(f"The bitmap has too many runs; at most {MOST_RUN_BYTES} bytes of runs are accepted.")


def _set_up() -> None:
    """Registers our own reader."""
    from quickthumb.imaging.formats import bmp_file

    bmp_file.set_up()


BMP = Format(
    name="bmp",
    media_type="image/bmp",
    extensions=("bmp", "dib"),
    signatures=(b"BM",),
    read_header=read_header,
    decoder=Decoder(pillow=("QUICKTHUMB_BMP", "BMP"), set_up=_set_up, watch=watch, recover=recover_part),
)
