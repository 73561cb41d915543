"""Metadata that takes longer to read than a picture to decode: color profiles of long chains, EXIF of many entries."""

import struct
import zlib

import numpy as np
from PIL import ImageCms

from tests.chaos.bombs import tiff_entry
from tests.imaging.costly_files import png_head, png_of, saved
from tests.imaging.test_broken import chunk

# Parts of color profiles: the color of the red primary, and a step that changes nothing.
RED = b"XYZ " + bytes(4) + struct.pack(">3i", 0x9000, 0x4000, 0x0400)
MATRIX = b"matf" + bytes(4) + struct.pack(">HH12f", 3, 3, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)


def exif_entries(count: int) -> bytes:
    """A block whose directory has so many entries, and is its own EXIF and GPS directory too."""
    tags = [tag for tag in range(1, count) if tag not in (274, 34_665, 34_853)]
    entries = [*(tiff_entry(tag, 3, 1, 1) for tag in tags), tiff_entry(34_665, 4, 1, 8), tiff_entry(34_853, 4, 1, 8)]
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + bytes(4)


def jpeg_exif(count: int) -> bytes:
    """So many entries, in as many segments as they need."""
    whole, block = saved("JPEG", 64, 48), exif_entries(count)
    parts = (b"Exif\0\0" + block[start : start + 60_000] for start in range(0, len(block), 60_000))
    return whole[:2] + b"".join(b"\xff\xe1" + struct.pack(">H", 2 + len(part)) + part for part in parts) + whole[2:]


def png_exif(count: int) -> bytes:
    return png_of(png_head(64, 48), bytes(64 * 3 * 48 + 48), chunk(b"eXIf", exif_entries(count)))


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


def png_profile(profile: bytes, width: int = 640, height: int = 480) -> bytes:
    rows = bytes(width * 3 * height + height)
    return png_of(png_head(width, height), rows, chunk(b"iCCP", b"a\0\0" + zlib.compress(profile)))
