"""Every pair of formats, what `auto` makes of each, and how qualities and limits of bytes are met."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from PIL import Image, ImageChops

from quickthumb.imaging.decoders import DECODERS
from quickthumb.imaging.formats import FORMATS, WRITTEN, Format, named, opened_as
from quickthumb.imaging.header import read_header, require_readable
from quickthumb.model.errors import InvalidParameter, TooManyPixels, UnsupportedImage
from quickthumb.model.limits import Limits
from quickthumb.model.output import FormatName, Output
from tests.imaging.conftest import Engine
from tests.imaging.measures import delta_e
from tests.imaging.pictures import disc, gradient, noise

SOURCES = ["jpg", "png", "webp", "gif", "avif", "tiff", "bmp", "ico"]


def written(picture: Image.Image, path: Path, **options: Any) -> Path:
    picture.save(path, **options)
    return path


def test_no_two_rows_claim_the_same() -> None:
    for claimed in (
        [row.name for row in FORMATS],
        [row.media_type for row in FORMATS],
        [extension for row in FORMATS for extension in row.extensions],
        [name for row in FORMATS for name in row.decoder.pillow],
    ):
        assert len(claimed) == len(set(claimed))


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
def test_a_row_is_found_by_each_of_its_names(row: Format) -> None:
    assert named(row.name) is row
    assert all(opened_as(name) is row for name in row.decoder.pillow)
    assert row.media_type.startswith("image/")
    if row.encoder is not None:
        assert row.encoder.pillow == row.decoder.pillow[0]


def test_the_parameter_format_names_every_format_that_is_written() -> None:
    assert set(get_args(get_args(FormatName)[0])) == {"auto", *WRITTEN}


@pytest.mark.parametrize(("name", "row"), WRITTEN.items())
def test_the_parameters_are_refused_for_formats_that_cannot(name: str, row: Format) -> None:
    assert row.encoder is not None
    for given, can in (
        ({"lossless": True}, row.encoder.lossless),
        ({"quality": 50}, row.encoder.quality is not None),
        ({"max_bytes": 5000}, row.encoder.quality is not None),
    ):
        if can:
            Output.model_validate({"format": name, **given})
        else:
            with pytest.raises(ValueError, match=next(iter(given))):
                Output.model_validate({"format": name, **given})


@pytest.mark.parametrize("suffix", SOURCES)
def test_what_pillow_writes_is_recognized_and_readable(tmp_path: Path, suffix: str) -> None:
    data = written(gradient(64, 64), tmp_path / f"picture.{suffix}").read_bytes()
    header = read_header(data, complete=True)
    assert header is not None
    assert suffix in named(header.format).extensions
    require_readable(header.format)


def test_a_format_whose_decoder_has_no_package_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert named("heif").readable
    monkeypatch.setattr("quickthumb.imaging.formats.row.find_spec", {}.get)
    with pytest.raises(UnsupportedImage, match="HEIF, a format that this server cannot read"):
        require_readable("heif")


@pytest.mark.parametrize("module", ["formats", "header"])
def test_the_web_process_reads_headers_without_pillow(module: str) -> None:
    program = f"import sys, quickthumb.imaging.{module}; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("made", list(WRITTEN))
def test_every_pair(engine: Engine, tmp_path: Path, source: str, made: str) -> None:
    picture = gradient(64, 64)
    result = engine(written(picture, tmp_path / f"source.{source}"), format=made, width=32)
    with Image.open(result.path()) as image:
        assert image.format == WRITTEN[made].decoder.pillow[0]
    assert result.only.filename == f"thumbnail.{WRITTEN[made].extension}"
    assert result.only.bytes == result.path().stat().st_size
    assert delta_e(result.picture(), picture.resize((32, 32), Image.Resampling.LANCZOS)) < 6
    assert result.only.warnings == ()


@pytest.mark.parametrize(
    ("source", "transparent", "expected"),
    [
        *((name, False, name) for name in ("png", "webp", "gif", "avif")),
        ("jpg", False, "jpeg"),
        ("bmp", False, "jpeg"),
        ("tiff", False, "jpeg"),
        ("tiff", True, "webp"),
        ("ico", True, "webp"),
        ("png", True, "png"),
    ],
)
def test_auto_keeps_web_formats(engine: Engine, tmp_path: Path, source: str, transparent: bool, expected: str) -> None:
    picture = disc(64) if transparent else gradient()
    assert engine(written(picture, tmp_path / f"source.{source}")).only.format == expected


@pytest.mark.parametrize(
    ("picture", "asked", "expected"),
    [
        (gradient(), {"lossless": "yes"}, "png"),
        (gradient(), {"max_bytes": 2000}, "jpeg"),
        (disc(), {"max_bytes": 2000}, "webp"),
    ],
)
def test_auto_finds_a_format_that_can(
    engine: Engine, picture: Image.Image, asked: dict[str, object], expected: str
) -> None:
    assert engine(picture, **asked).only.format == expected


def test_a_lossless_jpeg_becomes_webp(engine: Engine, tmp_path: Path) -> None:
    path = written(noise(), tmp_path / "noise.jpg")
    result = engine(path, lossless="yes")
    assert (result.only.format, result.only.quality) == ("webp", None)
    with Image.open(path) as image:
        assert ImageChops.difference(result.picture().convert("RGB"), image.convert("RGB")).getbbox() is None


@pytest.mark.parametrize("name", ["png", "webp"])
def test_lossless_is_exact(engine: Engine, name: str) -> None:
    made = engine(disc(80), format=name, lossless="yes").picture().convert("RGBA")
    assert ImageChops.difference(made, disc(80)).getbbox(alpha_only=False) is None


@pytest.mark.parametrize(("name", "quality"), [("jpeg", 80), ("webp", 80), ("avif", 60), ("png", None), ("gif", None)])
def test_the_receipt_tells_the_quality(engine: Engine, name: str, quality: int | None) -> None:
    assert engine(gradient(), format=name).only.quality == quality


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif"])
def test_quality_costs_bytes(engine: Engine, name: str) -> None:
    low, high = (engine(noise(), format=name, quality=quality).only.bytes for quality in (20, 90))
    assert high > 2 * low


def test_quality_without_meaning_is_said(engine: Engine) -> None:
    assert "quality has no meaning for png" in engine(gradient(), quality=50).only.warnings[0]


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif"])
@pytest.mark.parametrize("most", [4000, 8000, 200_000])
def test_max_bytes_finds_the_best_quality_that_fits(engine: Engine, name: str, most: int) -> None:
    made = engine(noise(), format=name, max_bytes=most).only
    assert made.bytes <= most
    assert made.quality is not None
    if made.quality < 95:
        assert engine(noise(), format=name, quality=made.quality + 1).only.bytes > most


def test_max_bytes_and_quality_together_take_the_lower(engine: Engine) -> None:
    assert engine(noise(), format="jpeg", max_bytes=200_000, quality=40).only.quality == 40


def test_max_bytes_that_cannot_be_met(engine: Engine) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        engine(noise(), format="jpeg", max_bytes=100)
    assert refusal.value.field == "max_bytes"


def test_sizes_that_a_format_cannot_hold(engine: Engine, tmp_path: Path) -> None:
    path = written(Image.new("L", (17_000, 2)), tmp_path / "long.png")
    with pytest.raises(InvalidParameter) as refusal:
        engine(path, format="webp")
    assert refusal.value.field == "format"


def test_results_have_limits_too(engine: Engine) -> None:
    with pytest.raises(TooManyPixels):
        engine(gradient(10, 10), size="2000x2000", enlarge="yes", limits=Limits(max_pixels=1_000_000))


@pytest.mark.parametrize("name", ["PPM", "TGA", "PCX", "SGI", "JPEG2000", "DDS", "ICNS", "EPS", "PSD"])
def test_other_decoders_are_never_reached(engine: Engine, tmp_path: Path, name: str) -> None:
    assert name not in DECODERS
    file = io.BytesIO(b"8BPS\0\1" + bytes(30))
    if name != "PSD":
        gradient(64, 64).save(file, name)
    (tmp_path / "stranger").write_bytes(file.getvalue())
    with pytest.raises(UnsupportedImage):
        engine(tmp_path / "stranger")


@pytest.mark.parametrize("text", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"hello", b""])
def test_what_is_no_picture(engine: Engine, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "text").write_bytes(text)
    with pytest.raises(UnsupportedImage):
        engine(tmp_path / "text")


def test_samples_of_32_bits_are_refused(engine: Engine, tmp_path: Path) -> None:
    written(Image.new("F", (9, 9), 0.5), tmp_path / "float.tiff")
    with pytest.raises(UnsupportedImage):
        engine(tmp_path / "float.tiff")


def test_further_pages_of_a_tiff_are_mentioned(engine: Engine, tmp_path: Path) -> None:
    pages = [gradient(), Image.new("RGB", (9, 9))]
    written(pages[0], tmp_path / "pages.tiff", save_all=True, append_images=pages[1:])
    result = engine(tmp_path / "pages.tiff")
    assert (result.only.width, result.only.frames) == (64, 1)
    assert any("pages" in warning for warning in result.only.warnings)


def test_mpo_gives_its_first_picture(engine: Engine, tmp_path: Path) -> None:
    written(gradient(), tmp_path / "two.mpo", save_all=True, append_images=[Image.new("RGB", (9, 9))], quality=95)
    result = engine(tmp_path / "two.mpo", format="png")
    assert result.rendering.facts.format == "jpeg"
    assert delta_e(result.picture(), gradient()) < 3
