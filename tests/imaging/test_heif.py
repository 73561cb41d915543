"""HEIC: what is made of it, next to AVIF where both have the same boxes; and what is refused before it is decoded."""

import io
import itertools
import struct
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from PIL import Image

from quickthumb.imaging.decoders import opened
from quickthumb.imaging.engine import render
from quickthumb.imaging.header import read_header, read_header_of_file
from quickthumb.model.errors import BrokenImage, QuickThumbError, TooManyParts, TooManyPixels, UnsupportedImage
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.iso_files import (
    ALPHA,
    AVIF,
    COLOR,
    HEIC,
    SIZE,
    TEN,
    TILE,
    TILE_SIDE,
    TWELVE,
    Part,
    alpha_of,
    av1,
    box,
    clap,
    grid,
    hevc,
    imir,
    irot,
    iso_file,
    ispe,
)
from tests.imaging.measures import delta_e
from tests.imaging.pictures import quadrants

SHOWN = quadrants(*SIZE)
PART = (16, 8, 80, 48)
TILE_SIZE = (TILE_SIDE, TILE_SIDE)
TURNS = (
    None,
    Image.Transpose.ROTATE_90,  # counterclockwise, as in the box
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270,
)
MIRRORS = (None, Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.FLIP_LEFT_RIGHT)


def avif_part(*properties: bytes) -> Part:
    file = io.BytesIO()
    SHOWN.save(file, "AVIF", quality=95, subsampling="4:4:4", speed=8)
    return av1(file.getvalue(), SIZE, *properties)


def file_of(kind: str, *properties: bytes) -> bytes:
    """The picture as HEIC or AVIF, with these properties."""
    if kind == "avif":
        return iso_file([avif_part(*properties)], AVIF)
    return iso_file([hevc(COLOR, SIZE, *properties)], HEIC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "picture"


@pytest.mark.parametrize("kind", ["heic", "avif"])
@pytest.mark.parametrize("mirror", [0, 1, 2])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("part", [None, PART], ids=["all", "part"])
def test_a_part_is_cut_out_then_turned_then_mirrored(
    engine: Engine, path: Path, kind: str, quarters: int, mirror: int, part: tuple[int, int, int, int] | None
) -> None:
    cut = [clap(*part, SIZE)] if part else []
    turns = [irot(quarters)] if quarters else []
    mirrors = [imir(mirror - 1)] if mirror else []
    path.write_bytes(file_of(kind, *cut, *turns, *mirrors))
    expected = SHOWN.crop(part) if part else SHOWN
    for operation in (TURNS[quarters], MIRRORS[mirror]):
        expected = expected if operation is None else expected.transpose(operation)
    result = engine(path, format="png")
    facts = result.rendering.facts
    assert read_header_of_file(path).upright == (facts.width, facts.height) == expected.size
    assert delta_e(result.picture(), expected) < 1
    header = read_header(path.read_bytes()[:-1], complete=False)
    assert header is not None
    assert header.upright == expected.size


@pytest.mark.parametrize("order", [*itertools.permutations(("cut", "turn", "mirror"))])
def test_the_size_is_the_same_whatever_the_order_of_the_boxes(
    engine: Engine, path: Path, order: tuple[str, ...]
) -> None:
    """libavif has an order of its own, and the header reader the same."""
    known = {"cut": clap(*PART, SIZE), "turn": irot(1), "mirror": imir(0)}
    path.write_bytes(file_of("avif", *(known[name] for name in order)))
    facts = engine(path, width=50).rendering.facts
    assert (facts.width, facts.height) == read_header_of_file(path).upright == (40, 64)


def test_the_reported_file_shows_its_part(engine: Engine, corpus: Path) -> None:
    path = corpus / "reported" / "avif_clap.avif"
    result = engine(path, format="png")
    facts = result.rendering.facts
    assert (facts.width, facts.height) == read_header_of_file(path).upright == result.picture().size == (180, 100)


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        (clap(-50, -50, 40, 40, SIZE), (40, 40)),
        (clap(0, 0, *SIZE, SIZE), SIZE),
        (clap(200, 0, 300, 20, SIZE), SIZE),
        (box(b"clap", struct.pack(">8I", 60, 0, 40, 1, 0, 1, 0, 1)), SIZE),
        (box(b"clap", struct.pack(">8I", 121, 2, 40, 1, 0, 1, 0, 1)), (61, 40)),
    ],
)
def test_a_part_beyond_the_picture_is_clipped_or_ignored(
    engine: Engine, path: Path, changed: bytes, shown: tuple[int, int]
) -> None:
    path.write_bytes(file_of("avif", changed))
    facts = engine(path, width=30).rendering.facts
    assert (facts.width, facts.height) == read_header_of_file(path).upright == shown


def test_a_part_with_other_parameters(engine: Engine, path: Path) -> None:
    path.write_bytes(file_of("avif", clap(*PART, SIZE), irot(1)))
    result = engine(path, crop="8,16,24,32", format="png")
    assert delta_e(result.picture(), SHOWN.crop(PART).transpose(Image.Transpose.ROTATE_90).crop((8, 16, 32, 48))) < 1


@pytest.mark.parametrize("coded", [COLOR, TEN, TWELVE], ids=["8 bits", "10 bits", "12 bits"])
def test_every_depth_is_read(engine: Engine, path: Path, coded: tuple[bytes, bytes]) -> None:
    path.write_bytes(iso_file([hevc(coded)]))
    result = engine(path, format="png")
    assert delta_e(result.picture(), SHOWN) < 1
    assert result.only.warnings == ()


def test_auto_makes_jpeg_and_webp_where_something_is_transparent(engine: Engine, path: Path) -> None:
    path.write_bytes(iso_file([hevc(COLOR)]))
    assert engine(path, width=30).only.format == "jpeg"
    path.write_bytes(iso_file([hevc(COLOR), alpha_of(1)]))
    result = engine(path, width=96)
    assert (result.only.format, result.rendering.facts.has_alpha) == ("webp", True)
    picture = result.picture()
    assert [picture.getpixel((x, 32))[3] for x in (10, 85)] == [0, 255]  # type: ignore[index]


def test_colors_that_were_multiplied_by_transparency_are_read(engine: Engine, path: Path) -> None:
    part = hevc(COLOR)
    path.write_bytes(iso_file([replace(part, multiplied_by=(2,)), alpha_of(1)]))
    result = engine(path, format="png")
    assert result.rendering.facts.has_alpha
    picture = result.picture().convert("RGBA")
    assert picture.getpixel((85, 10)) == pytest.approx((0, 255, 0, 255), abs=3)
    assert picture.getchannel("A").getpixel((10, 10)) == 0


def test_a_color_profile_is_found(engine: Engine, path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path.write_bytes(iso_file([hevc(COLOR, SIZE, box(b"colr", b"prof", profile))]))
    with opened(path, LIMITS) as image:
        assert image.info["icc_profile"] == profile


@pytest.mark.parametrize("orientation", [1, 6])
def test_exif_does_not_turn_a_picture_again(engine: Engine, path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    exif[0x8298] = "Someone"
    described = Part(b"Exif", struct.pack(">I", 6) + exif.tobytes(), describes=(1,))
    path.write_bytes(iso_file([hevc(COLOR, SIZE, irot(3)), described]))
    result = engine(path, metadata="keep", format="jpeg", quality=95)
    facts = result.rendering.facts
    assert (facts.width, facts.height) == (64, 96)
    with Image.open(result.path()) as made:
        assert made.size == (64, 96)
        assert made.getexif().get(274, 1) == 1
        assert made.getexif()[0x8298] == "Someone"


def test_tiles_are_put_together(engine: Engine, path: Path) -> None:
    path.write_bytes(iso_file([grid(2, 2, (180, 120)), *[hevc(COLOR)] * 4]))
    expected = Image.new("RGB", (192, 128))
    for place in itertools.product((0, 96), (0, 64)):
        expected.paste(SHOWN, place)
    result = engine(path, format="png")
    assert delta_e(result.picture(), expected.crop((0, 0, 180, 120))) < 1
    path.write_bytes(
        iso_file([grid(2, 2, (192, 128), 2, clap(10, 20, 150, 120, (192, 128))), *[avif_part()] * 4], AVIF)
    )
    result = engine(path, format="png")
    assert delta_e(result.picture(), expected.crop((10, 20, 150, 120))) < 1


def test_an_item_that_is_another_one_turned(engine: Engine, path: Path) -> None:
    path.write_bytes(iso_file([Part(b"iden", b"", (ispe(*SIZE), irot(1)), made_of=(2,)), hevc(COLOR)]))
    assert delta_e(engine(path, format="png").picture(), SHOWN.transpose(Image.Transpose.ROTATE_90)) < 1


def test_what_lies_beside_the_picture_is_not_used(engine: Engine, path: Path) -> None:
    """However large it is: it is not decoded."""
    small = Part(b"hvc1", TILE[1], (TILE[0], ispe(*TILE_SIZE)), shows_small=(1,))
    depth = box(b"auxC", bytes(4), b"urn:mpeg:hevc:2015:auxid:2\0")
    beside = Part(b"hvc1", ALPHA[1], (ALPHA[0], ispe(20_000, 20_000), depth), belongs_to=(1,))
    path.write_bytes(iso_file([hevc(COLOR), small, beside]))
    result = engine(path, format="png")
    assert delta_e(result.picture(), SHOWN) < 1
    assert not result.rendering.facts.has_alpha
    assert result.only.warnings == ()


def test_only_the_primary_picture_is_used(engine: Engine, path: Path) -> None:
    path.write_bytes(iso_file([hevc(TILE, TILE_SIZE), hevc(COLOR)], primary=2))
    result = engine(path, format="png")
    assert delta_e(result.picture(), SHOWN) < 1
    assert result.only.warnings == ("The file holds several pictures; only the primary one was used.",)


@pytest.mark.parametrize("brands", [(b"mif1", b"heic"), (b"heix", b"mif1"), (b"MiHE", b"mif1", b"heic"), (b"heic",)])
def test_any_brand_of_heif_is_read(engine: Engine, path: Path, brands: tuple[bytes, ...]) -> None:
    path.write_bytes(iso_file([hevc(COLOR)], brands))
    assert engine(path, width=30).rendering.facts.format == "heif"


def test_avif_has_its_own_decoder(path: Path) -> None:
    path.write_bytes(iso_file([avif_part()], (b"mif1", b"avif", b"miaf")))
    with opened(path, LIMITS) as image:
        assert image.format == "AVIF"


def test_no_thread_outlives_the_decoder(engine: Engine, path: Path) -> None:
    path.write_bytes(iso_file([grid(2, 2, (180, 120)), *[hevc(COLOR)] * 4]))
    engine(path, width=20)
    before, tasks = threading.active_count(), Path("/proc/self/task")
    count = len(list(tasks.iterdir())) if tasks.exists() else 0
    engine(path, width=30)
    assert threading.active_count() == before
    assert not tasks.exists() or len(list(tasks.iterdir())) == count


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (iso_file([avif_part()]), "in the HEIF file uses AV1, but only HEVC is supported"),
        (iso_file([hevc(COLOR)], AVIF), "in the AVIF file uses HEVC, but only AV1 is supported"),
        (iso_file([Part(b"jpeg", b"\xff\xd8", (ispe(*SIZE),))]), "in the HEIF file uses JPEG"),
        (iso_file([Part(b"iovl", b"", (ispe(*SIZE),), made_of=(2,)), hevc(COLOR)]), "uses overlays"),
        (iso_file([Part(b"unci", bytes(9), (ispe(*SIZE),))]), "uses no compression, but only HEVC is supported"),
        (iso_file([Part(b"odd ", bytes(9), (ispe(*SIZE),))]), "uses 'odd '"),
        (box(b"ftyp", b"msf1", bytes(4), b"hevc") + box(b"moov") + box(b"mdat"), "may be a video or a sequence"),
        (box(b"ftyp", b"mif3", bytes(4), b"heic") + box(b"mini", bytes(20)), "the short header of small AVIF and HEIF"),
    ],
)
def test_what_is_not_supported_is_named_by_the_header(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedImage, match=words):
        read_header(data, complete=True)


def test_tiles_of_another_codec_are_named(path: Path) -> None:
    path.write_bytes(iso_file([grid(1, 1, SIZE), avif_part()]))
    with pytest.raises(UnsupportedImage, match="uses AV1"), opened(path, LIMITS):
        pass


def sequence_parameters(width: int, height: int) -> bytes:
    """A unit of HEVC's that announces pictures of that size."""
    bits = "0000" + "000" + "0" + "0" * 96 + "1" + "010" + uvlc(width) + uvlc(height)
    data = int(bits.ljust(-(-len(bits) // 8) * 8, "1"), 2).to_bytes(-(-len(bits) // 8), "big")
    return b"\x42\x01" + data.replace(b"\0\0", b"\0\0\3")


def uvlc(number: int) -> str:
    return f"{number + 1:b}".zfill(2 * (number + 1).bit_length() - 1)


def unit(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


SLICE = COLOR[1][4:]
LIES = {
    "the data is larger than the item": (iso_file([hevc(TILE, (16, 16))]), BrokenImage, "has 512 × 512 pixels, but"),
    "another size among the data": (
        iso_file([hevc((COLOR[0], unit(sequence_parameters(30_000, 20_000)) + COLOR[1]))]),
        BrokenImage,
        "has 30000 × 20000 pixels, but the file says 96 × 64",
    ),
    "a picture more": (
        iso_file([hevc((COLOR[0], COLOR[1] * 2))]),
        TooManyParts,
        "too many frames; at most 1",
    ),
    "slices again and again": (
        iso_file([hevc((COLOR[0], COLOR[1] + unit(SLICE[:2] + b"\0" + SLICE[3:9]) * 100))]),
        TooManyParts,
        "far too many slices",
    ),
    "many empty units": (iso_file([hevc((COLOR[0], COLOR[1] + bytes(4 * 5000)))]), TooManyParts, "too many parts"),
    "no picture": (iso_file([hevc((COLOR[0], unit(b"\x4e\x01\x05")))]), BrokenImage, "no picture"),
    "a cut unit": (iso_file([hevc((COLOR[0], COLOR[1][:-9]))]), BrokenImage, "longer than the data"),
    "tiles that are far more": (
        iso_file([grid(6, 6, (100, 100)), *[hevc(TILE, TILE_SIZE)] * 36]),
        BrokenImage,
        "its tiles have far more pixels than the whole",
    ),
    "a grid of its own size": (
        iso_file(
            [Part(b"grid", struct.pack(">BBBBHH", 0, 0, 0, 0, 30_000, 30_000), (ispe(*SIZE),), (2,)), hevc(COLOR)]
        ),
        BrokenImage,
        "its grid has another size",
    ),
    "a grid of itself": (
        iso_file([Part(b"grid", struct.pack(">BBBBHH", 0, 0, 0, 0, *SIZE), (ispe(*SIZE),), (1,))]),
        BrokenImage,
        "consists of itself",
    ),
    "a transparency of itself": (
        iso_file([hevc(COLOR), Part(b"hvc1", ALPHA[1], alpha_of(1).properties, belongs_to=(1, 2))]),
        UnsupportedImage,
        "in a way that is not supported",
    ),
    "the transparency of a transparency": (
        iso_file([hevc(COLOR), alpha_of(1), alpha_of(2)]),
        UnsupportedImage,
        "in a way that is not supported",
    ),
    "a picture that is the small one of another": (
        iso_file([Part(b"hvc1", COLOR[1], (COLOR[0], ispe(*SIZE)), shows_small=(2,)), hevc(TILE, TILE_SIZE)]),
        UnsupportedImage,
        "in a way that is not supported",
    ),
    "a hidden picture": (
        iso_file([hevc(COLOR), grid(1, 1, SIZE, 1), hevc(TILE, TILE_SIZE)]),
        BrokenImage,
        "could not be decoded",
    ),
    "a kind that is not text": (
        iso_file([hevc(COLOR), Part(b"a\xff\xfea", bytes(4), describes=(1,))]),
        BrokenImage,
        "a name that is not text",
    ),
    "a type that is not text": (
        iso_file([hevc(COLOR), Part(b"mime", bytes(4), describes=(1,))]).replace(b"mime\0", b"mime\xff"),
        BrokenImage,
        "a name that is not text",
    ),
    "two headers": (iso_file([hevc(COLOR)], extra=box(b"mini", bytes(20))), BrokenImage, "two headers"),
    "the same as the same": (
        iso_file(
            [Part(b"iden", b"", (ispe(*SIZE),), (2,)), Part(b"iden", b"", (ispe(*SIZE),), made_of=(3,)), hevc(COLOR)]
        ),
        UnsupportedImage,
        "in a way that is not supported",
    ),
    "a transparency that is far larger": (
        iso_file([hevc(COLOR), *[alpha_of(1)] * 200]),
        BrokenImage,
        "its tiles have far more pixels",
    ),
    "a missing tile": (iso_file([grid(1, 2, (96, 100)), hevc(COLOR)]), BrokenImage, "a part of it is missing"),
    "a part that is larger than the picture": (
        iso_file([hevc(COLOR, SIZE, clap(-100, -100, 200, 200, SIZE))]),
        BrokenImage,
        "could not be decoded",
    ),
    "an announced bomb": (iso_file([hevc(COLOR, (20_000, 20_000))]), TooManyPixels, "400000000|20000 × 20000"),
}


@pytest.mark.parametrize("name", LIES)
def test_lies_are_found_before_anything_is_decoded(tmp_path: Path, path: Path, name: str) -> None:
    data, error, words = LIES[name]
    path.write_bytes(data)
    with pytest.raises(error, match=words):
        render(path, [Output(width=20)], tmp_path, LIMITS)


def overlapping(times: int) -> bytes:
    """A file with an item of EXIF whose data is all of the file, so many times."""
    whole = iso_file([hevc(COLOR), Part(b"Exif", bytes(4), describes=(1,))])
    one = struct.pack(">HHHHII", 2, 0, 0, 1, len(whole) - 4, 4)
    grown = 8 * (times - 1)
    many = struct.pack(">HHHH", 2, 0, 0, times) + struct.pack(">II", 0, len(whole) + grown) * times
    changed = bytearray(whole.replace(one, many))
    first = changed.index(struct.pack(">HHHH", 1, 0, 0, 1)) + 8
    struct.pack_into(">I", changed, first, int.from_bytes(changed[first : first + 4], "big") + grown)
    for kind in (b"meta", b"iloc"):
        place = changed.index(kind) - 4
        struct.pack_into(">I", changed, place, int.from_bytes(changed[place : place + 4], "big") + grown)
    return bytes(changed)


def profiled(pictures: int, profile_bytes: int) -> bytes:
    """Pictures that share a color profile."""
    return iso_file([hevc(COLOR, SIZE, box(b"colr", b"prof", bytes(profile_bytes)))] * pictures)


def described(pictures: int, exif_bytes: int) -> bytes:
    """Pictures that share their EXIF."""
    shared = Part(b"Exif", bytes(exif_bytes), describes=tuple(range(1, pictures + 1)))
    return iso_file([*[hevc(COLOR)] * pictures, shared])


@pytest.mark.parametrize(
    ("accepted", "refused", "error"),
    [
        (overlapping(1), overlapping(2), BrokenImage),
        (profiled(16, 1_000_000), profiled(17, 1_000_000), TooManyParts),
        (described(16, 1_000_000), described(17, 1_000_000), TooManyParts),
    ],
    ids=["overlapping", "profiles", "EXIF"],
)
def test_what_is_copied_is_bounded(path: Path, accepted: bytes, refused: bytes, error: type[QuickThumbError]) -> None:
    path.write_bytes(accepted)
    with opened(path, LIMITS):
        pass
    path.write_bytes(refused)
    with pytest.raises(error), opened(path, LIMITS):
        pass


SAMPLES = (
    iso_file([hevc(COLOR)]),
    iso_file([hevc(TEN, SIZE, irot(1), clap(*PART, SIZE)), alpha_of(1)]),
    iso_file([grid(2, 2, (180, 120), 2, imir(1)), *[hevc(COLOR)] * 4, alpha_of(1)]),
)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_truncated_files_are_never_taken_for_whole(tmp_path: Path, path: Path, number: int, share: float) -> None:
    path.write_bytes(SAMPLES[number][: max(12, int(len(SAMPLES[number]) * share))])
    with pytest.raises((BrokenImage, UnsupportedImage)):
        render(path, [Output(width=20)], tmp_path, LIMITS)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    some.sampled_from(SAMPLES),
    some.lists(some.tuples(some.floats(0, 1, exclude_max=True), some.integers(0, 255)), min_size=1, max_size=6),
)
def test_damaged_files_give_a_picture_or_a_typed_error(
    tmp_path: Path, path: Path, whole: bytes, changes: list[tuple[float, int]]
) -> None:
    data = bytearray(whole)
    for place, value in changes:
        data[int(place * len(data))] = value
    path.write_bytes(data)
    try:
        render(path, [Output(width=20)], tmp_path, Limits(max_pixels=1_000_000))
    except QuickThumbError:
        return
