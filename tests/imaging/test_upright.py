"""The header says the upright size: what the engine reports of the picture once it is done."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import ExifTags, Image

from quickthumb.imaging.engine import render
from quickthumb.imaging.formats.exif import told_by_exif, told_by_xmp
from quickthumb.imaging.header import Header, read_header, read_header_of_file
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.output import Output
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.pictures import gradient

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
