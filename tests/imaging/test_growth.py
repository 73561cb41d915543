"""Results that are larger than their source with no more pixels: made smaller where that can be, or warned of."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from quickthumb.imaging import png_palettes, png_ways
from quickthumb.imaging.formats.row import Asked, Options
from quickthumb.imaging.growth import SMALL_BYTES
from tests.imaging.conftest import Engine
from tests.imaging.pictures import noise
from tests.imaging.test_png_palettes import screen


def warning(made: int, source: int, advice: str) -> str:
    return f"The result has {made} bytes, more than its source ({source}), but no more pixels; {advice}."


@pytest.mark.parametrize(
    ("quality", "order", "advice"),
    [
        (30, {"format": "jpeg", "quality": 95}, "a quality below 95 makes it smaller"),
        (30, {"format": "webp", "quality": 95}, "a quality below 95 makes it smaller"),
        (90, {"format": "webp", "lossless": "yes"}, "without lossless it is smaller"),
        (90, {"format": "png"}, "webp is usually smaller"),
        (90, {"format": "gif", "width": 290}, "webp is usually smaller"),
    ],
)
def test_a_larger_result_is_warned_of(
    engine: Engine, tmp_path: Path, quality: int, order: dict[str, object], advice: str
) -> None:
    source = tmp_path / "photo.jpg"
    noise(300, 200).save(source, quality=quality)
    made = engine(source, order).only
    assert made.warnings[-1:] == (warning(made.bytes, source.stat().st_size, advice),)


@pytest.mark.parametrize("order", [{"width": 100}, {"width": 320, "enlarge": "yes", "quality": 95}, {"quality": 20}])
def test_no_warning_of_what_is_smaller_or_has_more_pixels(
    engine: Engine, tmp_path: Path, order: dict[str, object]
) -> None:
    noise(300, 200).save(tmp_path / "photo.jpg", quality=50)
    assert engine(tmp_path / "photo.jpg", order).only.warnings == ()


def test_no_warning_of_few_bytes(engine: Engine, tmp_path: Path) -> None:
    noise(40, 30).save(tmp_path / "photo.jpg", quality=5)
    made = engine(tmp_path / "photo.jpg", quality=90).only
    assert (tmp_path / "photo.jpg").stat().st_size < made.bytes < SMALL_BYTES
    assert made.warnings == ()


def test_a_smaller_way_is_tried_before_that(engine: Engine, tmp_path: Path) -> None:
    source = tmp_path / "screen.png"
    screen(1000, 700).save(source, bits=4, compress_level=9)
    length = source.stat().st_size
    plain = engine(source, {"name": "plain", "width": 500, "format": "png", "lossless": "yes"})
    exact = plain.picture("plain")
    usual, *others = png_ways.ways([exact], Asked(None, False, 500 * 350, from_palette=True))
    assert others
    assert encoded_bytes(*usual) > max(length, SMALL_BYTES)
    made = engine(source, {"width": 500, "format": "png"})
    assert made.only.bytes <= max(length, SMALL_BYTES)
    assert made.only.warnings == ()
    assert png_palettes.is_invisible(exact, made.picture())


def encoded_bytes(frames: list[Image.Image], options: Options) -> int:
    file = BytesIO()
    frames[0].save(file, "PNG", **options)
    return file.tell()


def test_nothing_else_is_tried_with_a_limit_of_bytes(engine: Engine, tmp_path: Path) -> None:
    noise(300, 200).save(tmp_path / "photo.jpg", quality=30)
    made = engine(tmp_path / "photo.jpg", max_bytes=200_000).only
    assert made.warnings == ()
