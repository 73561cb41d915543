"""Pictures that are small to send and claim, or unfold into, more than anybody should hold.

Most are written by hand: no encoder makes them.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache

from PIL import Image

from tests.imaging.iso_files import COLOR, SIZE, TILE, TILE_SIDE, box, grid, hevc, iso_file
from tests.imaging.test_broken import chunk, icon_of, png, webp_canvas

MEBIBYTE = 1024 * 1024
FRAMES = 5000
DEPTH = 100_000
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_MOST_SEGMENT_BYTES = 65_533


@cache
def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").resize((64, 48)).convert("RGB").save(file, kind)
    return file.getvalue()


def deflated_zeros(mebibytes: int) -> bytes:
    """A zlib stream (RFC 1950) of so many zeros, made of one block again and again instead of by compressing all."""
    packer = zlib.compressobj(9)
    packer.compress(bytes(MEBIBYTE))
    packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = (mebibytes * MEBIBYTE % 65521) << 16 | 1
    return b"\x78\xda" + block * mebibytes + b"\x03\x00" + struct.pack(">I", checksum)


def _png_with(*chunks: bytes) -> bytes:
    """A whole PNG with chunks of ours behind its header."""
    whole = picture("PNG")
    end = len(PNG_SIGNATURE) + 25
    return whole[:end] + b"".join(chunks) + whole[end:]


def _png_that_unfolds(width: int, height: int, mebibytes: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return PNG_SIGNATURE + header + chunk(b"IDAT", deflated_zeros(mebibytes)) + chunk(b"IEND", b"")


def _png_frames(count: int, claimed: int) -> bytes:
    still = zlib.compress(b"\0\0\0\0")
    frames, number = [], 0
    for index in range(count):
        frames.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 1, 1, 0, 0, 1, 100, 0, 0)))
        number += 1
        if index == 0:
            frames.append(chunk(b"IDAT", still))
        else:
            frames.append(chunk(b"fdAT", struct.pack(">I", number) + still))
            number += 1
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    animation = chunk(b"acTL", struct.pack(">II", claimed, 0))
    return PNG_SIGNATURE + header + animation + b"".join(frames) + chunk(b"IEND", b"")


def _gif_frames(count: int, width: int = 1, height: int = 1) -> bytes:
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(6)
    return head + b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0" * count + b";"


def _gif_frame_beyond_its_screen() -> bytes:
    frame = b"," + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\0\x02\x02D\x01\0"
    return b"GIF89a\x01\0\x01\0\x80\0\0" + bytes(6) + frame + b";"


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def riff_chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp_canvas_chunk(flags: int, width: int, height: int) -> bytes:
    return riff_chunk(b"VP8X", bytes((flags, 0, 0, 0)) + triple(width - 1) + triple(height - 1))


def _webp_frames(count: int, width: int = 64, height: int = 48) -> bytes:
    pixels = picture("WEBP")[12:]
    frame = riff_chunk(b"ANMF", triple(0) * 2 + triple(63) + triple(47) + triple(10) + b"\0" + pixels)
    return riff(webp_canvas_chunk(2, width, height), riff_chunk(b"ANIM", bytes(6)), frame * count)


def _webp_lossless_head() -> bytes:
    return riff(riff_chunk(b"VP8L", b"\x2f" + struct.pack("<I", 16383 | 16383 << 14) + bytes(8)))


def _webp_with(name: bytes, flag: int, data: bytes) -> bytes:
    return riff(webp_canvas_chunk(flag, 64, 48), picture("WEBP")[12:], riff_chunk(name, data))


def triple(number: int) -> bytes:
    return number.to_bytes(3, "little")


def _jpeg_with(segments: Iterator[bytes]) -> bytes:
    whole = picture("JPEG")
    return whole[:2] + b"".join(segments) + whole[2:]


def _jpeg_segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _jpeg_profile(mark: bytes, marker: int, rounds: int = 1) -> bytes:
    """As many segments as their numbering allows for, again and again."""
    part = bytes(JPEG_MOST_SEGMENT_BYTES - len(mark) - 2)
    numbers = [number for _ in range(rounds) for number in range(1, 256)]
    return _jpeg_with(_jpeg_segment(marker, mark + bytes((number, 255)) + part) for number in numbers)


def _jpeg_exif(mebibytes: int) -> bytes:
    block = b"Exif\0\0" + b"II*\0" + struct.pack("<IH", 8, 5000) + bytes(JPEG_MOST_SEGMENT_BYTES - 16)
    return _jpeg_with(_jpeg_segment(0xE1, block) for _ in range(mebibytes * 16))


def _jpeg_of_size(width: int, height: int, *, progressive: bool) -> bytes:
    whole = bytearray(picture("JPEG"))
    place = whole.index(b"\xff\xc0")
    struct.pack_into(">HH", whole, place + 5, height, width)
    if progressive:
        whole[place + 1] = 0xC2
    return bytes(whole)


def _avif_of_size(width: int, height: int) -> bytes:
    whole = bytearray(picture("AVIF"))
    struct.pack_into(">II", whole, whole.index(b"ispe") + 8, width, height)
    return bytes(whole)


def _avif_nested(depth: int) -> bytes:
    whole = picture("AVIF")
    brands = whole[: struct.unpack(">I", whole[:4])[0]]
    sizes = range(8 * depth, 0, -8)
    return brands + b"".join(struct.pack(">I4s", size, b"meta" if size == 8 * depth else b"iprp") for size in sizes)


def _tiff(entries: bytes, count: int, following: int = 0) -> bytes:
    return b"II*\0" + struct.pack("<IH", 8, count) + entries + struct.pack("<I", following)


def tiff_entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def _tiff_size(width: int, height: int) -> bytes:
    return tiff_entry(256, 4, 1, width) + tiff_entry(257, 4, 1, height)


def _big_tiff_of_a_million_entries() -> bytes:
    entries = b"".join(struct.pack("<HHQQ", 256 + index % 60_000, 4, 1, 60) for index in range(1_000_000))
    return b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + struct.pack("<Q", 1_000_000) + entries + bytes(8)


def _tiff_pages(count: int, *, loops: bool) -> bytes:
    """Directories of a size and nothing more, each followed by the next; in the end, maybe, by the first."""
    length = 2 + 24 + 4
    pages = [
        struct.pack("<H", 2) + _tiff_size(60, 40) + struct.pack("<I", 8 + length * (index + 1))
        for index in range(count)
    ]
    pages[-1] = pages[-1][:-4] + struct.pack("<I", 8 if loops else 0)
    return b"II*\0" + struct.pack("<I", 8) + b"".join(pages)


def _tiff_within_itself() -> bytes:
    """Its EXIF and GPS directories are the one that they stand in."""
    entries = _tiff_size(60, 40) + tiff_entry(34665, 4, 1, 8) + tiff_entry(34853, 4, 1, 8)
    return _tiff(entries, 4, following=8)


def _bmp_of_size(width: int, height: int) -> bytes:
    whole = bytearray(picture("BMP"))
    struct.pack_into("<ii", whole, 18, width, height)
    return bytes(whole)


# For the long run: they decode to what they claim, or are large to send.
SLOW = (
    "pixels: avif within the limit",
    "pixels: jpeg within the limit",
    "profile: jpeg of 48 MB",
    "profile: webp of 32 MB",
    "text: png of 32 MB",
    "text: tEXt, 100,000 times",
    "xmp: webp of 32 MB",
)

BOMBS: dict[str, Callable[[], bytes]] = {
    "pixels: png": lambda: png(20_000, 20_000),
    "pixels: png at the edge of numbers": lambda: png(0x7FFFFFFF, 0x7FFFFFFF),
    "pixels: webp canvas": lambda: webp_canvas(16_384, 16_384),
    "pixels: webp lossless": _webp_lossless_head,
    "pixels: webp animated": lambda: _webp_frames(2, 16_000, 16_000),
    "pixels: gif": lambda: _gif_frames(1, 65_535, 65_535),
    "pixels: gif frame beyond its screen": _gif_frame_beyond_its_screen,
    "pixels: gif of many large frames": lambda: _gif_frames(900, 9_999, 9_999),
    "pixels: avif": lambda: _avif_of_size(60_000, 60_000),
    "pixels: avif within the limit": lambda: _avif_of_size(9_000, 9_000),
    "pixels: heic": lambda: iso_file([hevc(COLOR, (60_000, 60_000))]),
    "pixels: heic within the limit": lambda: iso_file([hevc(COLOR, (9_000, 9_000))]),
    "pixels: heic that claims few": lambda: iso_file([hevc(TILE, (16, 16))]),
    "pixels: heic of tiles": lambda: iso_file([grid(20, 20, (64, 64)), *[hevc(TILE, (TILE_SIDE, TILE_SIDE))] * 400]),
    "profile: heic of 200 pictures with 8 MB": lambda: iso_file(
        [hevc(COLOR, SIZE, box(b"colr", b"prof", bytes(8 * MEBIBYTE)))] * 200
    ),
    "pixels: jpeg": lambda: _jpeg_of_size(65_500, 65_500, progressive=False),
    "pixels: jpeg within the limit": lambda: _jpeg_of_size(9_900, 9_900, progressive=False),
    "pixels: progressive jpeg within the limit": lambda: _jpeg_of_size(9_900, 9_900, progressive=True),
    "pixels: tiff": lambda: _tiff(_tiff_size(60_000, 60_000), 2),
    "pixels: bmp": lambda: _bmp_of_size(60_000, 60_000),
    "pixels: bmp of negative size": lambda: _bmp_of_size(-64, -0x80000000),
    "pixels: png within an icon": lambda: icon_of(png(20_000, 20_000)),
    "deflate: png of 100 × 100 that unfolds to 1 GiB": lambda: _png_that_unfolds(100, 100, 1024),
    "deflate: png within the limit, too short": lambda: _png_that_unfolds(9_900, 9_900, 8),
    "frames: gif": lambda: _gif_frames(FRAMES),
    "frames: apng": lambda: _png_frames(FRAMES, FRAMES),
    "frames: apng that claims four milliards": lambda: _png_frames(3, 0xFFFFFFFF),
    "frames: apng that claims few": lambda: _png_frames(FRAMES, 3),
    "frames: webp": lambda: _webp_frames(FRAMES),
    "profile: jpeg of 16 MB": lambda: _jpeg_profile(b"ICC_PROFILE\0", 0xE2),
    "profile: jpeg of 48 MB": lambda: _jpeg_profile(b"ICC_PROFILE\0", 0xE2, rounds=3),
    "profile: png that unfolds to 256 MiB": lambda: _png_with(chunk(b"iCCP", b"a\0\0" + deflated_zeros(256))),
    "profile: webp of 32 MB": lambda: _webp_with(b"ICCP", 0x20, bytes(32 * MEBIBYTE)),
    "text: png of 32 MB": lambda: _png_with(chunk(b"tEXt", b"a\0" + b"b" * (32 * MEBIBYTE))),
    "text: zTXt that unfolds to 256 MiB": lambda: _png_with(chunk(b"zTXt", b"a\0\0" + deflated_zeros(256))),
    "text: iTXt that unfolds to 256 MiB": lambda: _png_with(chunk(b"iTXt", b"a\0\1\0\0\0" + deflated_zeros(256))),
    "text: zTXt, 1000 times": lambda: _png_with(chunk(b"zTXt", b"a\0\0" + deflated_zeros(1)[:-6]) * 1000),
    "text: tEXt, 100,000 times": lambda: _png_with(chunk(b"tEXt", b"a\0b") * 100_000),
    "exif: jpeg of 8 MB": lambda: _jpeg_exif(8),
    "exif: png of 8 MB": lambda: _png_with(
        chunk(b"eXIf", b"II*\0" + struct.pack("<IH", 8, 65535) + bytes(8 * MEBIBYTE))
    ),
    "exif: webp of 8 MB": lambda: _webp_with(
        b"EXIF", 0x08, b"II*\0" + struct.pack("<IH", 8, 65535) + bytes(8 * MEBIBYTE)
    ),
    "xmp: webp of 32 MB": lambda: _webp_with(b"XMP ", 0x04, b"<" * (32 * MEBIBYTE)),
    "tiff: 65,535 entries": lambda: _tiff(tiff_entry(256, 4, 1, 60) * 65_535, 65_535),
    "tiff: a million entries": _big_tiff_of_a_million_entries,
    "tiff: an entry of four milliards": lambda: _tiff(_tiff_size(60, 40) + tiff_entry(273, 4, 0xFFFFFFFF, 8), 3),
    "tiff: 20,000 pages": lambda: _tiff_pages(20_000, loops=False),
    "tiff: pages without end": lambda: _tiff_pages(3, loops=True),
    "tiff: within itself": _tiff_within_itself,
    "avif: boxes 100,000 deep": lambda: _avif_nested(DEPTH),
}
