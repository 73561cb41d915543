"""Memory: the estimate bounds what is taken, and a large JPEG takes little."""

import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import ExifTags, Image

from quickthumb.config import Config
from quickthumb.imaging.formats import FORMATS, named
from quickthumb.imaging.memory import estimate_decode_bytes, estimate_file_bytes
from quickthumb.model.output import Output, parse_output
from tests.imaging.conftest import LIMITS
from tests.imaging.footprint import CODECS_BYTES, MEBIBYTE, needs_proc, peak_bytes
from tests.imaging.gifs import Drawn, gif
from tests.imaging.iso_files import TILE, TILE_SIDE, grid, hevc, iso_file
from tests.imaging.pictures import noise


@needs_proc
def test_a_100_megapixel_jpeg_takes_less_than_60_megabytes(tmp_path: Path) -> None:
    source = tmp_path / "large.jpg"
    noise(800, 800).resize((10_000, 10_000), Image.Resampling.NEAREST).save(source, quality=70)
    assert peak_bytes(source, tmp_path, [{"width": 128}]) < 60 * MEBIBYTE
    assert estimate_file_bytes(source, [Output(width=128)], LIMITS) < 60 * MEBIBYTE


@needs_proc
@pytest.mark.parametrize(
    ("name", "options", "output"),
    [
        ("plain.jpg", {}, {"width": 1500}),
        ("progressive.jpg", {"progressive": True}, {"width": 128}),
        ("still.png", {"compress_level": 1}, {"width": 1000, "format": "jpeg"}),
        ("still.webp", {}, {"width": 1000}),
        ("still.tiff", {}, {"width": 1000}),
    ],
)
def test_the_estimate_is_from_above(
    tmp_path: Path, name: str, options: dict[str, Any], output: dict[str, object]
) -> None:
    source = tmp_path / name
    noise(500, 400).resize((4000, 3000), Image.Resampling.BILINEAR).save(source, **options)
    estimate = estimate_file_bytes(source, [Output.model_validate(output)], LIMITS)
    grown = peak_bytes(source, tmp_path, [output])
    assert grown < estimate + CODECS_BYTES  # what codecs take for themselves
    assert estimate < 4 * grown + CODECS_BYTES


@needs_proc
@pytest.mark.parametrize("output", [{"width": 128}, {"width": 4000, "format": "jpeg"}])
def test_the_tiles_of_a_phone_count(tmp_path: Path, output: dict[str, object]) -> None:
    source = tmp_path / "photo.heic"
    tiles = [hevc(TILE, (TILE_SIDE, TILE_SIDE))] * 48
    source.write_bytes(iso_file([grid(8, 6, (4032, 3024)), *tiles]))
    estimate = estimate_file_bytes(source, [Output.model_validate(output)], LIMITS)
    grown = peak_bytes(source, tmp_path, [output])
    assert grown < estimate + CODECS_BYTES
    assert estimate < 2 * grown


@needs_proc
def test_a_noisy_webp_of_the_highest_quality_counts(tmp_path: Path) -> None:
    source, size = tmp_path / "noise.jpg", (3000, 2000)
    Image.merge("RGB", [Image.effect_noise(size, 200) for _ in range(3)]).save(source, quality=95, subsampling=0)
    order = {"format": "webp", "quality": 100}
    peak = peak_bytes(source, tmp_path, [order])
    assert peak <= 1.3 * estimate_file_bytes(source, [parse_output(order)], LIMITS) + CODECS_BYTES


@pytest.mark.parametrize("name", ["small.jpg", "small.webp"])
def test_metadata_counts(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    noise(64, 48).save(source, icc_profile=bytes(range(256)) * 48 * 1024)
    estimate = estimate_file_bytes(source, [Output(width=32)], LIMITS)
    grown = peak_bytes(source, tmp_path, [{"width": 32}])
    assert grown < estimate + CODECS_BYTES


@needs_proc
@pytest.mark.parametrize("width", [20_000, 40_000])
def test_a_slanted_strip_takes_little(tmp_path: Path, width: int) -> None:
    source = tmp_path / "strip.png"
    Image.new("L", (width, 1), 90).save(source)
    order = {"rotate": 45, "crop": "0,0,9,9"}
    assert peak_bytes(source, tmp_path, [order]) < CODECS_BYTES
    assert estimate_file_bytes(source, [parse_output(order)], LIMITS) < 16 * MEBIBYTE


@needs_proc
@pytest.mark.parametrize("size", [(1, 2_000_000), (2_000_000, 1)])
def test_long_and_thin_pictures_count(tmp_path: Path, size: tuple[int, int]) -> None:
    source = tmp_path / "thin.png"
    Image.new("RGB", size).save(source)
    estimate = estimate_file_bytes(source, [Output(width=128, height=128)], LIMITS)
    assert peak_bytes(source, tmp_path, [{"size": "128x128"}]) < 1.3 * estimate + CODECS_BYTES


@needs_proc
def test_the_coefficients_of_a_sequential_jpeg_in_scans_count(tmp_path: Path) -> None:
    source = tmp_path / "scans.jpg"
    source.write_bytes(in_three_scans(2000, 1500))
    estimate = estimate_file_bytes(source, [Output(width=128)], LIMITS)
    peak = peak_bytes(source, tmp_path, [{"width": 128}])
    assert peak > 2000 * 1500 * 6
    assert peak < estimate + CODECS_BYTES
    assert estimate < 2000 * 1500 * 6 * 1.2


@needs_proc
@pytest.mark.parametrize("order", [{"width": 64}, {"format": "png"}])
def test_a_gif_on_a_transparent_screen_counts(tmp_path: Path, order: dict[str, Any]) -> None:
    source = tmp_path / "small.gif"
    source.write_bytes(gif((3000, 2000), Drawn((0, 0, 2990, 2000), 0, right=1)))
    estimate = estimate_file_bytes(source, [parse_output(order)], LIMITS)
    assert peak_bytes(source, tmp_path, [order]) < estimate + CODECS_BYTES


@pytest.fixture(scope="module")
def noisy() -> Image.Image:
    """Noise in four bands, which takes longer to make than to render."""
    return Image.merge("RGBA", [Image.effect_noise((2400, 1800), 200) for _ in range(4)])


@needs_proc
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("dither", ["yes", "no"])
def test_choosing_the_colors_of_a_gif_counts(tmp_path: Path, noisy: Image.Image, mode: str, dither: str) -> None:
    source = tmp_path / "noise.png"
    noisy.convert(mode).save(source, compress_level=1)
    order = {"format": "gif", "dither": dither}
    estimate = estimate_file_bytes(source, [parse_output(order)], LIMITS)
    assert peak_bytes(source, tmp_path, [order]) < estimate + CODECS_BYTES


@needs_proc
@pytest.mark.parametrize("metadata", ["strip", "keep"])
def test_metadata_counts_as_what_it_becomes(tmp_path: Path, metadata: str) -> None:
    """Numbers of EXIF become objects at worst, and so do the elements of XMP."""
    exif = Image.Exif()
    exif[0xC4A5] = tuple(range(60_000))
    source = tmp_path / "numbers.webp"
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + b"<a/>" * 9_000 + b"</x:xmpmeta>"
    noise(64, 48).save(source, exif=exif.tobytes(), xmp=packet)
    order = {"width": 32, "metadata": metadata}
    estimate = estimate_file_bytes(source, [parse_output(order)], LIMITS)
    assert peak_bytes(source, tmp_path, [order]) < 1.3 * estimate + CODECS_BYTES


def test_elements_of_extended_xmp_count(tmp_path: Path) -> None:
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + b"<a/>" * 9_000 + b"</x:xmpmeta>"
    head = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">II", len(packet), 0)
    content = head + packet
    noise(64, 48).save(tmp_path / "plain.jpg")
    plain = (tmp_path / "plain.jpg").read_bytes()
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content
    (tmp_path / "told.jpg").write_bytes(plain[:2] + segment + plain[2:])
    outputs = [parse_output({"width": 32, "metadata": "keep"})]
    without, told = (estimate_file_bytes(tmp_path / name, outputs, LIMITS) for name in ("plain.jpg", "told.jpg"))
    assert told - without > 9_000 * 500


@needs_proc
def test_stills_are_written_and_freed_one_by_one(tmp_path: Path) -> None:
    source = tmp_path / "still.png"
    noise(400, 400).resize((2000, 2000)).save(source, compress_level=1)
    orders = [{"name": f"n{side}", "width": side, "format": "png"} for side in range(1900, 1980, 10)]
    assert peak_bytes(source, tmp_path, orders) < 2000 * 2000 * 4 * 4 + CODECS_BYTES
    assert estimate_file_bytes(source, [parse_output(order) for order in orders], LIMITS) < 2000 * 2000 * 4 * 6


@pytest.mark.parametrize("name", [row.name for row in FORMATS])
@pytest.mark.parametrize("size", [(10_000, 10_000), (6_000, 16_666), (1_000, 100_000)])
def test_any_source_of_100_megapixels_fits_into_the_default_budget(name: str, size: tuple[int, int]) -> None:
    config = Config()
    thumbnail = [Output(width=128, height=128)]
    estimate = estimate_decode_bytes(
        format=name, width=size[0], height=size[1], outputs=thumbnail, progressive=name == "jpeg", worst=True
    )
    file = config.intake.max_upload_bytes if named(name).decoder.reads_whole or name == "tiff" else 0
    assert estimate + file <= config.sandbox.decode_budget_bytes
    assert config.sandbox.decode_budget_bytes < config.sandbox.quarantine_memory_bytes


@pytest.mark.parametrize("made", ["auto", "jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize(("source", "size"), [("jpeg", (9248, 6936)), ("tiff", (9248, 6936)), ("heif", (8064, 6048))])
def test_a_photo_of_any_phone_fits_at_full_size(source: str, size: tuple[int, int], made: str) -> None:
    sandbox = Config().sandbox
    estimate = estimate_decode_bytes(format=source, width=size[0], height=size[1], outputs=[Output(format=made)])
    beside = 64 * MEBIBYTE  # metadata and a file that is read whole
    assert estimate + beside <= sandbox.decode_budget_bytes
    # A sandbox process also counts what Python and the codecs take.
    assert sandbox.decode_budget_bytes + 256 * MEBIBYTE <= sandbox.quarantine_memory_bytes


def test_what_is_not_told_counts_as_usual_or_as_the_worst() -> None:
    def estimate(**more: bool) -> int:
        thumbnail = [Output(width=128, height=128)]
        return estimate_decode_bytes(format="png", width=10_000, height=10_000, outputs=thumbnail, **more)

    assert estimate() < 410 * MEBIBYTE
    assert estimate(worst=True) > 1100 * MEBIBYTE


@given(
    some.sampled_from([row.name for row in FORMATS]),
    some.integers(1, 2_000_000),
    some.integers(1, 2_000_000),
    some.integers(1, 1000),
    some.booleans(),
    some.fixed_dictionaries(
        {"width": some.integers(1, 16_383), "height": some.integers(1, 16_383)},
        optional={
            "rotate": some.floats(-360, 360),
            "fit": some.sampled_from(["cover", "contain", "fill"]),
            "crop": some.tuples(*[some.integers(1, 3_000_000)] * 4),
            "format": some.sampled_from(["jpeg", "png", "webp", "avif", "gif"]),
            "enlarge": some.booleans(),
            "blur": some.just(3),
        },
    ),
)
@settings(max_examples=300, deadline=None)
def test_any_header_has_an_estimate(
    name: str, width: int, height: int, frames: int, worst: bool, order: dict[str, Any]
) -> None:
    facts: dict[str, Any] = {"format": name, "width": width, "height": height, "frames": frames, "worst": worst}
    assert estimate_decode_bytes(**facts, outputs=[parse_output(order)]) >= 0


def in_three_scans(width: int, height: int) -> bytes:
    """A sequential JPEG with a scan for each of its components: each is that of a gray JPEG with the same tables."""
    file = BytesIO()
    noise(width, height).convert("L").save(file, "JPEG", quality=75)
    gray = file.getvalue()
    frame, scan = gray.index(b"\xff\xc0"), gray.index(b"\xff\xda")
    before, tables = gray[:frame], gray[frame + 13 : scan]
    sides = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    components = b"".join(bytes((number, 0x11, 0)) for number in (1, 2, 3))
    head = before + b"\xff\xc0\x00\x11\x08" + sides + b"\x03" + components + tables
    scans = (b"\xff\xda\x00\x08\x01" + bytes((number, 0, 0, 63, 0)) + gray[scan + 10 : -2] for number in (1, 2, 3))
    return head + b"".join(scans) + b"\xff\xd9"


def test_draft_decoding_counts() -> None:
    def estimate(progressive: bool = False) -> int:
        return estimate_decode_bytes(
            format="jpeg", width=8000, height=6000, outputs=[Output(width=128)], progressive=progressive
        )

    assert estimate() < 4 * MEBIBYTE
    assert estimate(progressive=True) > 8000 * 6000 * 6


def test_results_and_frames_count() -> None:
    def estimate(frames: int, output: Output) -> int:
        return estimate_decode_bytes(format="gif", width=500, height=400, outputs=[output], frames=frames)

    assert estimate(100, Output()) > 100 * 500 * 400 * 4
    assert estimate(100, Output(frames="first")) == estimate(1, Output())
    assert estimate(100, Output(format="jpeg")) == estimate(1, Output(format="jpeg"))


def test_either_way_of_lying_is_allowed_for() -> None:
    def estimate(width: int, height: int, output: Output) -> int:
        return estimate_decode_bytes(format="jpeg", width=width, height=height, outputs=[output], worst=True)

    assert estimate(6000, 2000, Output(width=1000)) == pytest.approx(estimate(2000, 6000, Output(width=1000)), rel=0.01)
    assert estimate(6000, 2000, Output(crop=(0, 0, 2000, 6000), width=10)) > 0


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_known_orientation_is_believed(tmp_path: Path, kind: str, orientation: int) -> None:
    """To enlarge 4000 × 200 to a width of 4000 takes nothing; to enlarge 200 × 4000 takes four gigabytes."""
    stored = Image.new("RGB", (200, 4000) if orientation == 6 else (4000, 200))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored.save(tmp_path / "picture", kind, exif=exif)
    wide = Output(width=4000, enlarge=True, format="png")
    assert estimate_file_bytes(tmp_path / "picture", [wide], LIMITS) < 100 * MEBIBYTE
