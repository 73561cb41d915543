"""Pictures that take far more time than a plain picture of their size, of every format that is read; all are seeded.

Each is small to send and has few pixels: the time goes into something that neither bytes nor pixels count.
"""

import io
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from tests.chaos.bombs import PNG_SIGNATURE, riff, riff_chunk, tiff_entry, triple, webp_canvas_chunk
from tests.imaging import iso_files
from tests.imaging.iso_files import box, box_of
from tests.imaging.pictures import noise
from tests.imaging.test_broken import chunk

WIDTH, HEIGHT = 1600, 1200
# The passes of an interlaced PNG (ISO 15948, 8.2): first column, first row, and the steps.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
PAETH = 4


@cache
def saved(kind: str, width: int = WIDTH, height: int = HEIGHT, **options: Any) -> bytes:
    """A plain picture: as hard to compress as a photo, unless it is asked to be `flat`."""
    flat = options.pop("flat", False)
    file = io.BytesIO()
    picture = Image.new("RGB", (width, height), "teal") if flat else noise(width, height)
    picture.convert(options.pop("mode", "RGB")).save(file, kind, **options)
    return file.getvalue()


# JPEG


def jpeg_scans(count: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    whole = saved("JPEG", width, height, flat=True, progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * (count - whole.count(b"\xff\xda")) + whole[-2:]


def jpeg_sequential_scans(count: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A sequential JPEG with one scan for each color, again and again."""
    whole = saved("JPEG", width, height, flat=True, subsampling=0)
    head, scan = whole[: whole.index(b"\xff\xda")], whole[whole.index(b"\xff\xda") + 14 : -2]
    alone = [b"\xff\xda\0\x08\x01" + bytes((number, (number > 1) * 0x11)) + b"\0\x3f\0" for number in (1, 2, 3)]
    return head + b"".join(alone[index % 3] + scan for index in range(count)) + b"\xff\xd9"


def jpeg_segments(count: int) -> bytes:
    """Empty comments between the frame header and the scan."""
    whole = saved("JPEG", 64, 48)
    place = whole.index(b"\xff\xda")
    return whole[:place] + b"\xff\xfe\0\x02" * count + whole[place:]


# PNG


def png_of(header: bytes, rows: bytes, *others: bytes, level: int = 6) -> bytes:
    packed = zlib.compress(rows, level)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + b"".join(others) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def png_head(width: int, height: int, *, interlaced: bool = False) -> bytes:
    return struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlaced)


def png_second_head(width: int, height: int) -> bytes:
    return chunk(b"IHDR", png_head(width, height))


def png_filtered(kind: int) -> bytes:
    pixels = np.asarray(noise(WIDTH, HEIGHT)).reshape(HEIGHT, -1)
    return png_of(png_head(WIDTH, HEIGHT), b"".join(bytes([kind]) + row.tobytes() for row in pixels))


def png_interlaced() -> bytes:
    pixels = np.asarray(noise(WIDTH, HEIGHT))
    rows = (bytes([PAETH]) + row.tobytes() for x, y, across, down in ADAM7 for row in pixels[y::down, x::across])
    return png_of(png_head(WIDTH, HEIGHT, interlaced=True), b"".join(rows))


def png_cut_into(count: int) -> bytes:
    """The pixels in chunks of one byte, and empty chunks behind them."""
    packed = zlib.compress(bytes(64 * 3 * 48 + 48))
    pieces = b"".join(chunk(b"IDAT", packed[index : index + 1]) for index in range(count))
    return PNG_SIGNATURE + chunk(b"IHDR", png_head(64, 48)) + pieces + chunk(b"IEND", b"")


def png_chunks(count: int) -> bytes:
    return png_of(png_head(64, 48), bytes(64 * 3 * 48 + 48), chunk(b"prIv", b"") * count)


def png_texts(count: int) -> bytes:
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(60_000)))
    return png_of(png_head(64, 48), bytes(64 * 3 * 48 + 48), text * count)


# GIF


def gif_head(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(3) + b"\xff" * 3


def gif_comments(count: int) -> bytes:
    return gif_head(1, 1) + b"!\xfe" + b"\x01a" * count + b"\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"


def gif_extensions(count: int) -> bytes:
    return gif_head(1, 1) + b"!\xf9\x04\0\0\0\0\0" * count + b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"


def gif_cut_into(count: int) -> bytes:
    """The codes of one frame in blocks of one byte, far more of them than its pixels need."""
    return gif_head(1, 1) + b",\0\0\0\0\x01\0\x01\0\0\x02\x01D\x01\x01" + b"\x01\0" * count + b"\0;"


def gif_frames(count: int, width: int, height: int, disposal: int) -> bytes:
    """Frames of the whole screen: one pixel's codes for each, the rest of the frame stays empty."""
    control = b"!\xf9\x04" + bytes((disposal << 2 | 1,)) + b"\x05\0\0\0"
    frame = b"," + struct.pack("<HHHH", 0, 0, width, height) + b"\0\x02\x02D\x01\0"
    return gif_head(width, height) + (control + frame) * count + b";"


def gif_frame(x: int, y: int = 0, hundredths: int = 0) -> bytes:
    """A frame of one white pixel, shown for so many hundredths of a second."""
    control = b"!\xf9\x04\x04" + struct.pack("<H", hundredths) + b"\0\0"
    return control + b"," + struct.pack("<HHHH", x, y, 1, 1) + b"\0\x02\x02L\x01\0"


def gif_small_frames(count: int, width: int, height: int) -> bytes:
    return gif_head(width, height) + gif_frame(0) * count + b";"


def gif_growing(side: int) -> bytes:
    """Frames of one pixel, which together extend the small screen to a square."""
    return gif_head(60, 40) + gif_frame(0) + gif_frame(side - 1) + gif_frame(0, side - 1) + gif_frame(1) + b";"


# TIFF


def tiff_pieces(count: int, *, tiled: bool = False, packed: bool = False) -> bytes:
    """A grayscale picture whose strips have one row each, or whose tiles have one pixel each; all are the same."""
    width, height = (count, 1) if tiled else (1, count)
    piece = zlib.compress(b"\x80") if packed else b"\x80"
    places = 8 + len(piece) + len(piece) % 2
    sizes = places + 4 * count
    directory = sizes + 4 * count
    offsets, lengths = (324, 325) if tiled else (273, 279)
    entries = [
        tiff_entry(256, 4, 1, width),
        tiff_entry(257, 4, 1, height),
        tiff_entry(258, 3, 1, 8),
        tiff_entry(259, 3, 1, 8 if packed else 1),
        tiff_entry(262, 3, 1, 1),
        tiff_entry(offsets, 4, count, places),
        tiff_entry(277, 3, 1, 1),
        tiff_entry(lengths, 4, count, sizes),
        *([tiff_entry(322, 3, 1, 1), tiff_entry(323, 3, 1, 1)] if tiled else [tiff_entry(278, 3, 1, 1)]),
    ]
    numbers = struct.pack("<I", 8) * count + struct.pack("<I", len(piece)) * count
    body = struct.pack("<H", len(entries)) + b"".join(sorted(entries)) + bytes(4)
    return b"II*\0" + struct.pack("<I", directory) + piece.ljust(places - 8, b"\0") + numbers + body


def tiff_tile(width: int, height: int, side: int) -> bytes:
    """A grayscale picture that lies in one square tile."""
    piece = zlib.compress(bytes(side * side))
    directory = 8 + len(piece) + len(piece) % 2
    values = {256: width, 257: height, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 8, 325: len(piece)}
    entries = b"".join(tiff_entry(tag, 4, 1, value) for tag, value in values.items())
    body = struct.pack("<H", len(values)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", directory) + piece.ljust(directory - 8, b"\0") + body


# BMP


def bmp_runs(width: int, height: int, runs: bytes, *, bits: int = 8) -> bytes:
    kind = {8: 1, 4: 2}[bits]
    colors = bytes(4 * 2**bits)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, kind, len(runs), 0, 0, 2**bits, 0)
    start = 14 + len(info) + len(colors)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + info + colors + runs


# ICO


def icon_of_many(count: int) -> bytes:
    picture = saved("PNG", 256, 256)
    start = 6 + 16 * count
    entry = struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, len(picture), start)
    return struct.pack("<HHH", 0, 1, count) + entry * count + picture


# WebP


def webp_frames(count: int, width: int, height: int) -> bytes:
    pixels = saved("WEBP", 16, 16)[12:]
    frame = riff_chunk(b"ANMF", triple(0) * 2 + triple(15) * 2 + triple(10) + b"\0" + pixels)
    return riff(webp_canvas_chunk(2, width, height), riff_chunk(b"ANIM", bytes(6)), frame * count)


def webp_chunks(count: int) -> bytes:
    return riff(webp_canvas_chunk(0, 16, 16), saved("WEBP", 16, 16)[12:], riff_chunk(b"abcd", b"") * count)


# AVIF


def avif_grid(columns: int, rows: int, side: int = 64) -> bytes:
    """A picture put together from cells that all have the same data."""
    still = saved("AVIF", side, side, speed=10)
    data = still[still.index(b"mdat") + 4 :]
    cells = range(2, 2 + columns * rows)
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, columns * side, rows * side)
    infos = [info(1, b"grid"), *(info(cell, b"av01") for cell in cells)]
    used = [struct.pack(">HB2B", 1, 2, 1, 3), *(struct.pack(">HB3B", cell, 3, 2, 3, 0x84) for cell in cells)]
    sizes = [
        box(b"ispe", struct.pack(">III", 0, width, height))
        for width, height in ((columns * side, rows * side), (side, side))
    ]
    properties = box(b"ipco", *sizes, box_of(still, b"pixi"), box_of(still, b"av1C"))

    def whole(start: int) -> bytes:
        places = [struct.pack(">HHHHII", 1, 1, 0, 1, 0, len(grid))]
        places += [struct.pack(">HHHHII", cell, 0, 0, 1, start, len(data)) for cell in cells]
        meta = box(
            b"meta",
            bytes(4),
            box_of(still, b"hdlr"),
            box(b"pitm", bytes(4), struct.pack(">H", 1)),
            box(b"iloc", struct.pack(">IHH", 1 << 24, 0x4400, len(places)), *places),
            box(b"iinf", bytes(4), struct.pack(">H", len(infos)), *infos),
            box(b"iref", bytes(4), box(b"dimg", struct.pack(f">HH{len(cells)}H", 1, len(cells), *cells))),
            box(b"iprp", properties, box(b"ipma", bytes(4), struct.pack(">I", len(used)), *used)),
            box(b"idat", grid),
        )
        return still[: still.index(b"meta") - 4] + meta + box(b"mdat", data)

    return whole(len(whole(0)) - len(data))


def info(item: int, kind: bytes) -> bytes:
    return box(b"infe", struct.pack(">IHH", 2 << 24, item, 0), kind, b"\0")


# HEIF


def heif_grid(columns: int, rows: int) -> bytes:
    """A picture put together from small cells."""
    size = (columns * iso_files.SIZE[0], rows * iso_files.SIZE[1])
    return iso_files.iso_file(
        [iso_files.grid(columns, rows, size), *[iso_files.hevc(iso_files.COLOR)] * columns * rows]
    )


def heif_large_cells(columns: int, rows: int) -> bytes:
    """A small picture put together from cells of which it shows little."""
    side = iso_files.TILE_SIDE
    tiles = [iso_files.hevc(iso_files.TILE, (side, side))] * columns * rows
    return iso_files.iso_file([iso_files.grid(columns, rows, (columns * side // 2, rows * side // 2)), *tiles])


def heif_slices(count: int) -> bytes:
    """A picture whose slices come again and again, not as the first ones of a picture."""
    configuration, data = iso_files.TILE
    again = bytearray(data)
    again[6] &= 0x7F
    side = iso_files.TILE_SIDE
    return iso_files.iso_file([iso_files.hevc((configuration, data + bytes(again) * count), (side, side))])


def heif_pictures(count: int) -> bytes:
    """Pictures beside the primary one."""
    side = iso_files.TILE_SIDE
    return iso_files.iso_file([iso_files.hevc(iso_files.TILE, (side, side))] * count)
