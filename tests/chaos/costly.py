"""Pictures that take far more time than a plain picture of their size, of every format that is read; all are seeded.

Each is small to send and has few pixels: the time goes into something that neither bytes nor pixels count.
"""

import io
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from tests.chaos.bombs import PNG_SIGNATURE, riff, riff_chunk, tiff_entry, triple, webp_canvas_chunk
from tests.imaging.pictures import noise
from tests.imaging.test_broken import chunk

WIDTH, HEIGHT = 1600, 1200
# The passes of an interlaced PNG (ISO 15948, 8.2): first column, first row, and the steps.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
PAETH = 4
# Parts of color profiles: the color of the red primary, and a step that changes nothing.
RED = b"XYZ " + bytes(4) + struct.pack(">3i", 0x9000, 0x4000, 0x0400)
MATRIX = b"matf" + bytes(4) + struct.pack(">HH12f", 3, 3, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)


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


def png_profile(profile: bytes, width: int = 640, height: int = 480) -> bytes:
    rows = bytes(width * 3 * height + height)
    return png_of(png_head(width, height), rows, chunk(b"iCCP", b"a\0\0" + zlib.compress(profile)))


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


def tiff_pieces(count: int, *, tiled: bool, compression: int = 1) -> bytes:
    """A grayscale picture whose strips have one row each, or whose tiles have one pixel each; all are one byte."""
    width, height = (count, 1) if tiled else (1, count)
    places = 8 + 1 + 1
    sizes = places + 4 * count
    directory = sizes + 4 * count
    offsets, lengths = (324, 325) if tiled else (273, 279)
    entries = [
        tiff_entry(256, 4, 1, width),
        tiff_entry(257, 4, 1, height),
        tiff_entry(258, 3, 1, 8),
        tiff_entry(259, 3, 1, compression),
        tiff_entry(262, 3, 1, 1),
        tiff_entry(offsets, 4, count, places),
        tiff_entry(277, 3, 1, 1),
        tiff_entry(lengths, 4, count, sizes),
        *([tiff_entry(322, 3, 1, 1), tiff_entry(323, 3, 1, 1)] if tiled else [tiff_entry(278, 3, 1, 1)]),
    ]
    numbers = struct.pack("<I", 8) * count + struct.pack("<I", 1) * count
    body = struct.pack("<H", len(entries)) + b"".join(sorted(entries)) + bytes(4)
    return b"II*\0" + struct.pack("<I", directory) + b"\x80\0" + numbers + body


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


# Color profiles


def profile(**tags: bytes) -> bytes:
    """sRGB with another red, so that it must be converted, and with other tags (ICC.1:2022, section 7)."""
    whole = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    count = int.from_bytes(whole[128:132], "big")
    old = [struct.unpack_from(">4sII", whole, 132 + 12 * index) for index in range(count)]
    blocks = {name: whole[start : start + length] for name, start, length in old}
    blocks |= {name.encode(): block for name, block in ({"rXYZ": RED} | tags).items()}
    start, table, body = 132 + 12 * len(blocks), b"", b""
    for name, block in blocks.items():
        table += struct.pack(">4sII", name, start + len(body), len(block))
        body += block + bytes(-len(block) % 4)
    made = whole[:128] + struct.pack(">I", len(blocks)) + table + body
    return struct.pack(">I", len(made)) + made[4:]


def profile_of_elements(count: int, element: bytes = MATRIX) -> bytes:
    """A chain of one element, so many times (multiProcessElementsType, ICC.1:2022, 10.16)."""
    start = 16 + 8 * count
    table = struct.pack(">II", start, len(element)) * count
    return profile(D2B0=b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, count) + table + element)


def profile_of_segments(count: int) -> bytes:
    """A chain of three curves that are one, in so many segments."""
    breaks = struct.pack(f">{count - 1}f", *np.linspace(0.01, 0.99, count - 1))
    segment = b"parf" + bytes(4) + struct.pack(">HH4f", 0, 0, 1, 1, 0, 0)
    curve = b"curf" + bytes(4) + struct.pack(">HH", count, 0) + breaks + segment * count
    places = struct.pack(">II", 12 + 3 * 8, len(curve)) * 3
    return profile_of_elements(1, b"cvst" + bytes(4) + struct.pack(">HH", 3, 3) + places + curve)


def profile_of_curves(count: int) -> bytes:
    curve = b"curv" + bytes(4) + struct.pack(">I", count) + np.linspace(0, 65535, count).astype(">u2").tobytes()
    return profile(rTRC=curve, gTRC=curve, bTRC=curve)


def profile_of_table(grid: int) -> bytes:
    """A table of colors with `grid` points along each axis (lut16Type, ICC.1:2022, 10.10)."""
    line = struct.pack(">2H", 0, 65535)
    head = b"mft2" + bytes(4) + bytes((3, 3, grid, 0)) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = np.random.default_rng(1).integers(0, 65536, grid**3 * 3, dtype=np.uint16).astype(">u2").tobytes()
    return profile(A2B0=head + struct.pack(">HH", 2, 2) + line * 3 + table + line * 3)
