"""The header says the upright size: what the engine reports of the picture once it is done."""

import io
import struct
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import ExifTags, Image

from quickthumb.imaging.engine import render
from quickthumb.imaging.formats.exif import told_by_exif, told_by_xmp
from quickthumb.imaging.formats.png_chunks import read_chunks
from quickthumb.imaging.header import Header, make_watch, read_header, read_header_of_file
from quickthumb.imaging.source import open_source
from quickthumb.imaging.stored import told_by
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.output import Output
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.pictures import gradient
from tests.imaging.png_files import png, spoiled
from tests.imaging.test_broken import chunk

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
PICTURES = sorted(path for path in CORPUS.glob("*/*") if path.is_file())
ORIENTATIONS = range(1, 9)
# Formats whose orientation the engine takes from EXIF, XMP, tags or the boxes of ISO media.
TURNED = ["jpg", "png", "webp", "tiff", "avif"]


def exif(orientation: int, order: str = "<") -> bytes:
    """An EXIF block that says this, behind a tag that says something else."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    tags = struct.pack(order + "HHIHxx", 257, 3, 1, 7) + struct.pack(order + "HHIHxx", 274, 3, 1, orientation)
    return b"Exif\0\0" + mark + struct.pack(order + "IH", 8, 2) + tags + bytes(4)


def encoded(suffix: str, orientation: int, picture: Image.Image | None = None) -> bytes:
    file = io.BytesIO()
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = orientation
    kind = {"jpg": "JPEG"}.get(suffix, suffix.upper())
    (picture or gradient(48, 30)).save(file, kind, exif=block)
    return file.getvalue()


def with_segments(jpeg: bytes, *contents: bytes) -> bytes:
    """A JPEG with these APP1 segments before all others."""
    segments = (b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content for content in contents)
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def xmp(orientation: int) -> bytes:
    return b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="%d"/>' % orientation


def facts_size(engine: Engine, path: Path) -> tuple[int, int]:
    facts = engine(path, width=10).rendering.facts
    return facts.width, facts.height


@pytest.mark.skipif(not PICTURES, reason="the corpus of real pictures is not here")
@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged files
def test_the_corpus_is_upright_as_the_engine_has_it(tmp_path: Path, path: Path) -> None:
    try:
        facts = render(path, [Output(width=10, format="png")], tmp_path, LIMITS).facts
    except QuickThumbError:
        pytest.skip("it cannot be rendered")
    assert read_header_of_file(path).upright == (facts.width, facts.height)
    early = read_header(path.read_bytes()[: 1 << 20], complete=False)
    assert early is None or early.upright == (facts.width, facts.height)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_corpus_in_one_chunk_and_byte_by_byte(corpus: Path, orientation: int) -> None:
    data = (corpus / "orientation" / f"landscape-{orientation}.jpg").read_bytes()
    assert_known_however_it_arrives(data, (600, 450), orientation)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_made_ones_in_one_chunk_and_byte_by_byte(orientation: int, order: str) -> None:
    data = with_segments(encoded("jpg", 1), exif(orientation, order))
    assert_known_however_it_arrives(data, (30, 48) if orientation >= 5 else (48, 30), orientation)


def assert_known_however_it_arrives(data: bytes, upright: tuple[int, int], orientation: int) -> None:
    whole = read_header(data, complete=True)
    assert whole is not None
    assert (whole.upright, whole.orientation) == (upright, orientation)
    told = next(found for length in range(len(data)) if (found := read_header(data[:length], complete=False)))
    assert told == read_header(data, complete=False) == whole


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("suffix", TURNED)
def test_every_format_agrees_with_the_engine(engine: Engine, tmp_path: Path, suffix: str, orientation: int) -> None:
    path = tmp_path / f"picture.{suffix}"
    path.write_bytes(encoded(suffix, orientation))
    header = read_header_of_file(path)
    assert header.upright == facts_size(engine, path) == ((30, 48) if orientation >= 5 else (48, 30))
    assert header.orientation == orientation
    assert read_header(path.read_bytes(), complete=False) == header


@pytest.mark.parametrize("suffix", ["png", "webp"])  # an AVIF tells both at once
def test_no_more_bytes_are_asked_for_than_the_size_needs(suffix: str) -> None:
    """A picture with too many pixels is refused as early as one that says nothing of how it lies."""

    def needed(data: bytes) -> int:
        return next(length for length in range(len(data)) if read_header(data[:length], complete=False))

    turned = encoded(suffix, 6)
    early = read_header(turned[: needed(turned)], complete=False)
    assert early is not None
    assert early.upright == (48, 30)
    assert needed(turned) <= needed(encoded(suffix, 1)) + 32


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_xmp_counts_where_exif_says_nothing(engine: Engine, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    if suffix == "jpg":
        path.write_bytes(with_segments(plain_jpeg(), xmp(6)))
    elif suffix == "webp":
        gradient(48, 30).save(path, xmp=xmp(6))
    else:
        from PIL.PngImagePlugin import PngInfo

        texts = PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", xmp(6).decode())
        gradient(48, 30).save(path, pnginfo=texts)
    assert read_header_of_file(path).upright == facts_size(engine, path) == (30, 48)


def plain_jpeg() -> bytes:
    file = io.BytesIO()
    gradient(48, 30).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    "segments",
    [
        (exif(6), xmp(1)),
        (exif(1), xmp(6)),
        (exif(9), xmp(6)),
        (b"Exif\0\0", xmp(6)),
        (xmp(1), xmp(6)),
        (exif(6), exif(3)),
        (b"Exif\0\0" + exif(6),),
        (exif(6)[:12],),
        (exif(6)[:26],),
        (b"Exif\0\0" + b"\xff" * 40,),
        (b"Exif\0\0II*\0" + b"\xff" * 40, xmp(6)),
        (exif(6).replace(struct.pack("<HHI", 274, 3, 1), struct.pack("<HHI", 274, 3, 2)),),
        (exif(6).replace(struct.pack("<HHI", 274, 3, 1), struct.pack("<HHI", 274, 2, 1)),),
        (exif(6).replace(struct.pack("<HHI", 274, 3, 1), struct.pack("<HHI", 274, 4, 1)),),
        (b"Extended", exif(8)),
    ],
)
@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged blocks
def test_what_counts_when_several_tell_or_none_makes_sense(
    engine: Engine, tmp_path: Path, segments: tuple[bytes, ...]
) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(with_segments(plain_jpeg(), *segments))
    assert read_header_of_file(path).upright == facts_size(engine, path)


@pytest.mark.parametrize("told", [exif(6), xmp(6)])
def test_a_segment_between_the_size_and_the_pixels_counts(engine: Engine, tmp_path: Path, told: bytes) -> None:
    data, path = plain_jpeg(), tmp_path / "picture.jpg"
    place = data.index(b"\xff\xda")
    path.write_bytes(data[:place] + with_segments(b"\xff\xd8", told)[2:] + data[place:])
    early = read_header(path.read_bytes()[:place], complete=False)
    assert early is not None
    assert early.awaits_orientation
    assert read_header_of_file(path).upright == facts_size(engine, path) == (30, 48)


def test_a_block_of_exif_in_several_segments(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(with_segments(plain_jpeg(), exif(6)[:16], b"Exif\0\0" + exif(6)[16:]))
    assert read_header_of_file(path).upright == facts_size(engine, path) == (30, 48)


TELLING = {
    "exif 6": chunk(b"eXIf", exif(6)[6:]),
    "exif 1": chunk(b"eXIf", exif(1)[6:]),
    "empty exif": chunk(b"eXIf", b""),
    "wrong exif": spoiled(chunk(b"eXIf", exif(6)[6:])),
    "raw 6": chunk(b"tEXt", b"Raw profile type exif\0\nexif\n%8d\n" % len(exif(6)) + exif(6).hex().encode() + b"\n"),
    "raw 1": chunk(b"tEXt", b"Raw profile type exif\0\nexif\n%8d\n" % len(exif(1)) + exif(1).hex().encode() + b"\nff"),
    "xmp 6": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(6)),
    "xmp 1": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(1)),
}


@pytest.mark.parametrize("names", [*product(TELLING, repeat=2)], ids=" and ".join)
def test_what_counts_in_a_png(tmp_path: Path, names: tuple[str, str]) -> None:
    """Each in front of the pixels, or behind them: the header, the watch, the estimate and the engine say the same."""
    data, path = encoded("png", 1, gradient(48, 30)), tmp_path / "picture.png"
    data = png(*(part for name, part in named_chunks(data) if name != b"eXIf"))
    first, second = (TELLING[name] for name in names)
    for before, behind in ((first + second, b""), (first, second), (b"", first + second)):
        path.write_bytes(data[:33] + before + data[33:-12] + behind + data[-12:])
        watch = make_watch(LIMITS, data[:16])
        assert watch is not None
        watch.feed(path.read_bytes())
        with open_source(path, LIMITS) as source:
            header = read_header_of_file(path)
            assert replace(header, orientation=watch.orientation or header.orientation).upright == source.upright
            assert told_by(source.image, source.format, 1, None).upright in (None, source.upright)


@pytest.mark.parametrize("order", [(b"EXIF", b"XMP "), (b"XMP ", b"EXIF"), (b"EXIF", b"EXIF"), (b"XMP ", b"XMP ")])
@pytest.mark.parametrize(("first", "second"), [(1, 6), (6, 1)])
def test_what_counts_in_a_webp(tmp_path: Path, order: tuple[bytes, bytes], first: int, second: int) -> None:
    file, path = io.BytesIO(), tmp_path / "picture.webp"
    gradient(48, 30).save(file, "WEBP", xmp=b"xx")
    blocks = (
        exif(told)[6:] if name == b"EXIF" else xmp(told) for name, told in zip(order, (first, second), strict=True)
    )
    blocks = (block + b" " * (len(block) % 2) for block in blocks)
    chunks = b"".join(name + struct.pack("<I", len(block)) + block for name, block in zip(order, blocks, strict=True))
    data = file.getvalue()[: file.getvalue().rindex(b"XMP ")] + chunks
    flags = data[20] | 0x0C
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:20] + bytes([flags]) + data[21:])
    with open_source(path, LIMITS) as source:
        assert read_header_of_file(path).upright == source.upright


def named_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    return [(each.name, data[each.start : each.end]) for each in read_chunks(io.BytesIO(data))]


@pytest.mark.parametrize("kind", ["bmp", "png"])
@pytest.mark.filterwarnings("ignore:Image was not the expected size")
def test_an_icon_is_as_large_as_it_says_itself(engine: Engine, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "icon.ico"
    gradient(16, 16).convert("RGBA").save(path, sizes=[(16, 16)], bitmap_format=kind)
    data = path.read_bytes()
    for listed in (16, 32, 8):
        path.write_bytes(data[:7] + bytes([listed]) + data[8:])
        assert read_header_of_file(path).upright == facts_size(engine, path) == (16, 16)


def test_a_tiff_tells_its_orientation_in_a_tag_alone(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "picture.tiff"
    gradient(48, 30).save(path, tiffinfo={274: 8, 700: xmp(3)})
    assert read_header_of_file(path) == Header("tiff", 48, 30, 8)
    assert facts_size(engine, path) == (30, 48)


@given(data=some.binary(max_size=200) | some.binary(max_size=200).map(lambda rest: b"Exif\0\0II*\0" + rest))
def test_any_block_tells_an_orientation_or_none(data: bytes) -> None:
    assert told_by_exif(data) in (None, *ORIENTATIONS)
    assert told_by_xmp(data) in ORIENTATIONS


def test_a_block_of_many_segments_is_read_in_bounds() -> None:
    """Each is looked at by its first bytes; only one EXIF block and one XMP packet are read."""
    many = with_segments(plain_jpeg(), *[exif(6).ljust(60_000, b"\0")] * 200, xmp(3))
    header = read_header(many, complete=True)
    assert header is not None
    assert header.orientation == 6
