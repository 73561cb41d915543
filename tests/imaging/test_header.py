"""Reading headers: against Pillow, at every truncation, and on hostile bytes."""

import contextlib
import io
import struct
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from quickthumb.imaging.formats import FORMATS
from quickthumb.imaging.header import Header, read_header, read_header_of_file
from quickthumb.model.errors import BrokenImage, QuickThumbError, TooManyParts, UnsupportedImage

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
PICTURES = sorted(path for path in CORPUS.glob("*/*") if path.is_file())
# Files that Pillow does not open (bombs, a color space it lacks), and the headers that they claim.
UNREADABLE = {
    "65536x65536.png": Header("png", 65536, 65536),
    "bomb.gif": Header("gif", 65535, 66601),
    "bomb.ico": Header("ico", 65535, 32767),
    "cielab.tiff": Header("tiff", 400, 266),
}
WIDTH, HEIGHT = 37, 21


def encode(name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), "teal").save(buffer, name, **options)
    return buffer.getvalue()


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


def heif(*brands: bytes, sizes: tuple[tuple[int, int], ...] = ((WIDTH, HEIGHT),), primary: int = 1) -> bytes:
    """A header for items of these sizes, numbered from 1."""
    kind = b"av01" if b"avif" in brands else b"hvc1"
    numbers = range(1, len(sizes) + 1)
    infos = [box(b"infe", b"\2\0\0\0", struct.pack(">HH", number, 0), kind, b"\0") for number in numbers]
    shared = box(b"ipco", *[box(b"ispe", struct.pack(">III", 0, *size)) for size in sizes])
    table = box(
        b"ipma", struct.pack(">II", 0, len(sizes)), *[struct.pack(">HBB", number, 1, number) for number in numbers]
    )
    content = (
        box(b"pitm", bytes(4), struct.pack(">H", primary)),
        box(b"iinf", bytes(4), struct.pack(">H", len(sizes)), *infos),
        box(b"iprp", shared, table),
    )
    return box(b"ftyp", brands[0], bytes(4), *brands) + box(b"mdat", bytes(9)) + box(b"meta", bytes(4), *content)


def tiff(order: str, *, big: bool = False, padding: int = 0) -> bytes:
    start = 16 + padding
    tag, count, offset = ("HHQHHxxxx", "Q", "HHHQ") if big else ("HHIHxx", "H", "HI")
    head = (43, 8, 0, start) if big else (42, start)
    tags = struct.pack(order + tag, 256, 3, 1, WIDTH, *((0,) if big else ())) + struct.pack(
        order + tag, 257, 3, 1, HEIGHT, *((0,) if big else ())
    )
    mark = b"II" if order == "<" else b"MM"
    return (mark + struct.pack(order + offset, *head)).ljust(start, b"\0") + struct.pack(order + count, 2) + tags


SAMPLES = {
    "jpeg": encode("JPEG"),
    "jpeg-progressive": encode("JPEG", progressive=True, comment=b"hello"),
    "png": encode("PNG"),
    "gif": encode("GIF", comment=b"hello"),
    "webp-lossy": encode("WEBP"),
    "webp-lossless": encode("WEBP", lossless=True),
    "webp-extended": encode("WEBP", exif=b"Exif\0\0"),
    "avif": encode("AVIF"),
    "tiff": encode("TIFF"),
    "tiff-big": encode("TIFF", big_tiff=True),
    "tiff-motorola": tiff(">"),
    "tiff-big-motorola": tiff(">", big=True),
    "bmp": encode("BMP"),
    "ico": encode("ICO", sizes=[(16, 9), (WIDTH, HEIGHT)]),
    "ico-bitmap": encode("ICO", sizes=[(WIDTH, HEIGHT)], bitmap_format="bmp"),
    "heif": heif(b"mif1", b"heic"),
}


@pytest.mark.skipif(not PICTURES, reason="the corpus of real pictures is not here")
@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged files
def test_agrees_with_pillow_on_real_pictures(path: Path) -> None:
    data = path.read_bytes()
    expected = UNREADABLE.get(path.name) or told_by_pillow(path)
    if expected is None:  # then both ways of reading come to the same
        assert path.parent.name in ("broken", "reported")
        assert outcome(data, complete=True) == outcome_of_file(path)
        return
    header = read_header_of_file(path)
    assert read_header(data, complete=True) == header
    assert replace(header, shown=None) == expected  # Pillow shows all of a picture


def test_a_damaged_header_of_the_corpus_is_broken(corpus: Path) -> None:
    assert outcome_of_file(corpus / "broken" / "corrupt-header.jpg") is BrokenImage


def told_by_pillow(path: Path) -> Header | None:
    """What Pillow says of a file, or None where it cannot open it."""
    try:
        with Image.open(path) as image:
            orientation = 1
            with contextlib.suppress(OSError):  # from a truncated PNG, whose EXIF could follow the pixels
                orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            return Header((image.format or "").lower().replace("mpo", "jpeg"), *image.size, orientation)
    except Exception:  # decoders raise nearly anything
        return None


@pytest.mark.parametrize("name", SAMPLES)
def test_reads_every_format_at_every_truncation_alike(name: str, tmp_path: Path) -> None:
    data = SAMPLES[name]
    expected = Header(name.partition("-")[0], WIDTH, HEIGHT)
    told = [read_header(data[:length], complete=False) for length in range(len(data) + 1)]
    needed = told.index(expected)
    assert told == [None] * needed + [expected] * (len(told) - needed)
    path = tmp_path / "image"
    for length in range(1, len(data) + 1, 1 + len(data) // 200):
        path.write_bytes(data[:length])
        if length >= needed:
            assert read_header(data[:length], complete=True) == read_header_of_file(path) == expected
            continue
        with pytest.raises((BrokenImage, UnsupportedImage)):
            read_header(data[:length], complete=True)
        with pytest.raises((BrokenImage, UnsupportedImage)):
            read_header_of_file(path)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%PDF-1.7 ...........", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "PostScript"),
        (b"8BPS\0\1..............", "Photoshop"),
        (b"PK\x03\x04............", "ZIP"),
        (b"<svg xmlns='http://'>", "SVG"),
        (b"\xef\xbb\xbf  <?xml version='1.0'?>", "XML"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "The file is not an image"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video"),
        (b"\0\0\0\x0cftypisom\0\0\0\0\0\0\0\0", "not an image"),
        (b"BMW is a make of cars, and this is a text.", "bitmap"),
        (b"hello, world, this is text", "The file is not an image"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0", "The file is not an image"),
    ],
)
def test_refuses_what_is_no_image_within_a_few_bytes(data: bytes, name: str) -> None:
    with pytest.raises(UnsupportedImage, match=name):
        read_header(data[:32], complete=False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        SAMPLES["png"][:16] + struct.pack(">II", 0, 5),
        SAMPLES["png"][:16] + struct.pack(">II", 2**31, 5),
        SAMPLES["png"][:8] + b"\0\0\0\x0dIDAT" + bytes(8),
        b"\xff\xd8\xff\xe0\0\x01" + bytes(20),
        b"\xff\xd8\xff\xda\0\x08" + bytes(20),
        b"\xff\xd8\xff" + b"\xff" * 9000,
        b"GIF89a" + bytes(7) + b";",
        b"GIF89a" + bytes(30_000),
        b"RIFF\x24\0\0\0WEBPVP8X\x02\0\0\0" + bytes(10),
        b"RIFF\x24\0\0\0WEBPVP8L\x0a\0\0\0" + bytes(10),
        b"RIFF\x24\0\0\0WEBPVP8 \x0a\0\0\0" + bytes(10),
        b"\0\0\1\0\0\0" + bytes(30),
        b"\0\0\1\0\xff\xff" + bytes(30),
        b"II*\0\x08\0\0\0\0\0" + bytes(30),
        b"II+\0\x08\0\0\0" + b"\xff" * 8,
        tiff("<").replace(struct.pack("<HHI", 256, 3, 1), struct.pack("<HHI", 256, 2, 1)),
        heif(b"avif", sizes=()),
        heif(b"avif", sizes=((0, 7),)),
        box(b"ftyp", b"avif", bytes(4)) + box(b"meta", bytes(4), struct.pack(">I4s", 9999, b"iprp")),
        box(b"ftyp", b"avif", bytes(4)) + struct.pack(">I4sQ", 1, b"mdat", 3),
        box(b"ftyp", b"avif", bytes(4)) + box(b"free") * 2000,
        b"BM" + bytes(12) + struct.pack("<Iii", 40, 0, 5),
    ],
)
def test_a_header_that_contradicts_itself_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenImage):
        read_header(data, complete=True)


def test_the_largest_counts() -> None:
    gif = b"GIF89a" + struct.pack("<HHBBB", 2, 2, 0, 0, 0) + b"," + struct.pack("<HHHH", 100, 0, 900, 50)
    assert read_header(gif, complete=False) == Header("gif", 1000, 50)
    icon = bytearray(encode("ICO", sizes=[(16, 16)]))
    start = icon.index(b"IHDR") + 4
    icon[start : start + 8] = struct.pack(">II", 70_000, 70_000)
    assert read_header(icon, complete=True) == Header("ico", 70_000, 70_000)


def test_the_primary_item_counts() -> None:
    """Not its tiles or thumbnail, nor a picture beside it, however large."""
    parts = heif(b"avif", b"mif1", sizes=((64, 64), (4000, 3000), (5120, 5120)), primary=2)
    assert read_header(parts, complete=False) == Header("avif", 4000, 3000)
    for primary in (0, 4):
        with pytest.raises(BrokenImage):
            read_header(heif(b"avif", primary=primary), complete=True)


def test_a_bitmap_may_run_from_the_top_and_a_core_header_is_short() -> None:
    info = b"BM" + bytes(12) + struct.pack("<Iii", 40, 5, -7)
    assert read_header(info, complete=False) == Header("bmp", 5, 7)
    core = b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 5, 7, 1, 24)
    assert read_header(core, complete=False) == Header("bmp", 5, 7)


def test_a_side_of_a_bitmap_that_is_no_number_of_pixels_is_very_large() -> None:
    data = b"BM" + bytes(12) + struct.pack("<III", 40, 2**32 - 5, 0x88000015)
    assert read_header(data, complete=False) == Header("bmp", 2**32 - 5, 0x88000015)


def test_only_the_largest_icons_need_to_be_whole() -> None:
    icon = bytearray(encode("ICO", sizes=[(16, 9), (WIDTH, HEIGHT)]))
    icon[6 + 12 : 6 + 16] = b"\xff" * 4
    assert read_header(icon, complete=True) == Header("ico", WIDTH, HEIGHT)


def test_a_sequence_without_items_has_the_size_of_its_track() -> None:
    for version, times in ((0, 76), (1, 88)):
        track = box(b"tkhd", bytes([version]), bytes(times - 1), struct.pack(">II", 320 << 16, 200 << 16))
        data = box(b"ftyp", b"avis", bytes(4)) + box(b"moov", box(b"mvhd"), box(b"trak", track))
        assert read_header(data, complete=False) == Header("avif", 320, 200)


def test_an_animation_may_have_items_and_no_primary_one() -> None:
    track = box(b"tkhd", bytes(76), struct.pack(">II", 320 << 16, 200 << 16))
    still = box(b"meta", bytes(4), box(b"iprp", box(b"ipco", box(b"ispe", struct.pack(">III", 0, 9, 9)))))
    data = box(b"ftyp", b"avis", bytes(4), b"avis", b"msf1") + still + box(b"moov", box(b"mvhd"), box(b"trak", track))
    assert read_header(data, complete=False) == Header("avif", 320, 200)


def test_a_long_list_of_brands_is_not_taken_for_an_icon() -> None:
    data = heif(b"avif", *[b"mif1"] * 59)
    assert data.startswith(b"\0\0\1\0ftyp")
    assert read_header(data[:4], complete=False) is None
    assert read_header(data, complete=False) == Header("avif", WIDTH, HEIGHT)


def test_a_file_decides_what_its_first_bytes_could_not(tmp_path: Path) -> None:
    late = {
        "tiff": tiff("<", padding=3_000_000),
        "jpeg": SAMPLES["jpeg"][:2] + (b"\xff\xe2\xff\xff" + bytes(65_533)) * 40 + SAMPLES["jpeg"][2:],
    }
    for name, data in late.items():
        assert read_header(data[:1_000_000], complete=False) is None
        path = tmp_path / name
        path.write_bytes(data)
        assert read_header_of_file(path) == Header(name, WIDTH, HEIGHT)


def test_an_offset_beyond_anything_seekable_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"II+\0\x08\0\0\0" + b"\xff" * 8 + bytes(20))
    with pytest.raises(BrokenImage):
        read_header_of_file(path)
    path.write_bytes(b"")
    with pytest.raises(BrokenImage, match="empty"):
        read_header_of_file(path)


def outcome(data: bytes, complete: bool) -> Header | type[QuickThumbError] | None:
    """What reading comes to; any other exception than a typed one fails the test."""
    started = time.process_time()
    try:
        return read_header(data, complete=complete)
    except (UnsupportedImage, BrokenImage, TooManyParts) as error:
        return type(error)
    finally:
        # Some thousand steps take milliseconds; this only tells them from an unbounded loop.
        assert time.process_time() - started < 1


def outcome_of_file(path: Path) -> Header | type[QuickThumbError]:
    try:
        return read_header_of_file(path)
    except (UnsupportedImage, BrokenImage, TooManyParts) as error:
        return type(error)


SIGNATURES = st.sampled_from([signature.replace(b"?", b"\0") for row in FORMATS for signature in row.signatures])


@given(data=st.binary(max_size=300) | st.tuples(SIGNATURES, st.binary(max_size=300)).map(b"".join))
@example(b"\0\0\0\x10ftypavif\0\0\0\0\0\0\0\x01meta" + b"\xff" * 8)
def test_any_bytes_have_a_typed_outcome(data: bytes) -> None:
    early = outcome(data, complete=False)
    late = outcome(data, complete=True)
    assert late is not None
    assert early is None or early == late


@settings(max_examples=300)
@given(
    name=st.sampled_from(sorted(SAMPLES)),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6),
    length=st.integers(0, 2000),
)
def test_any_mutation_has_a_typed_outcome(name: str, changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(SAMPLES[name][:length])
    for place, value in changes:
        if place < len(data):
            data[place] = value
    early = outcome(bytes(data), complete=False)
    assert early is None or early == outcome(bytes(data), complete=True)


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\x10ftypavis\0\0\0\0" + box(b"moov", box(b"trak", box(b"free") * 900) * 900),
        b"\0\0\1\0\0\4" + (bytes(12) + struct.pack("<I", 0)) * 1100,
        b"GIF89a" + bytes(7) + b"!\xff" + b"\1\1" * 100_000,
        b"II*\0\x08\0\0\0\0\x10" + bytes(12) * 5000,
        b"\xff\xd8\xff" + b"\xd0\xff" * 100_000,
    ],
    ids=["boxes", "icons", "blocks", "tags", "markers"],
)
def test_the_longest_headers_are_read_in_bounded_steps(data: bytes) -> None:
    assert outcome(data, complete=True) in (BrokenImage, UnsupportedImage)
