"""The estimate of memory holds for any order and any source: measured in processes of their own.

`make test` tries a few orders, always the same. `ORDERS=200 SEED=7 pytest tests/imaging/test_memory_of_orders.py` tries
more, and others.
"""

import os
import random
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as some
from PIL import Image

from quickthumb.imaging.memory import estimate_file_bytes
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.output import parse_output
from tests.imaging.conftest import LIMITS
from tests.imaging.footprint import CODECS_BYTES, MEBIBYTE, needs_proc, peak_bytes

ORDERS = int(os.environ.get("ORDERS", "8"))
SEED = int(os.environ.get("SEED", "1"))
MOST_PIXELS = 4_000_000
MOST_RATIO = 1.3
# For pictures that take more than this, the estimate must not be far too high either: they would wait for each other.
LARGE_BYTES = 64 * MEBIBYTE
MOST_MEDIAN = 3
FAST: dict[str, Any] = {"compress_level": 1}
ONE_STRIP = {278: 10**6}
SOURCES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("jpeg", "RGB", {}),
    ("jpeg", "L", {}),
    ("jpeg", "RGB", {"progressive": True, "subsampling": 0}),
    ("jpeg", "CMYK", {"progressive": True}),
    ("png", "RGB", FAST),
    ("png", "RGBA", FAST),
    ("png", "L", FAST),
    ("png", "P", FAST),
    ("png", "1", FAST),
    ("png", "LA", FAST),
    ("png", "I;16", FAST),
    ("png", "RGB", {**FAST, "transparency": (1, 2, 3)}),
    ("gif", "P", {}),
    ("webp", "RGB", {"method": 0}),
    ("webp", "RGBA", {"method": 0}),
    ("webp", "RGB", {"method": 0, "quality": 0, "lossless": True}),
    ("avif", "RGB", {"speed": 10}),
    ("avif", "RGBA", {"speed": 10}),
    ("tiff", "RGB", {}),
    ("tiff", "CMYK", {}),
    ("tiff", "RGB", {"compression": "tiff_adobe_deflate", "tiffinfo": {**ONE_STRIP, 274: 6}}),
    ("bmp", "RGB", {}),
    ("bmp", "P", {}),
)
ANIMATED = ("gif", "webp", "avif", "png")
measured: list[tuple[int, int]] = []


def picture(mode: str, size: tuple[int, int], noisy: bool, number: int) -> Image.Image:
    """Noise, which is the worst for encoders, or clouds."""
    if mode == "I;16":
        return Image.frombytes(mode, size, random.Random(number).randbytes(2 * size[0] * size[1]))
    small = size if noisy else (max(1, size[0] // 8), max(1, size[1] // 8))
    bands = [Image.effect_noise(small, 60 + number + band).resize(size) for band in range(4)]
    if mode in ("1", "L", "P"):
        return bands[0].convert(mode)
    return Image.merge(mode, bands[: len(Image.new(mode, (1, 1)).getbands())])


@some.composite
def sources(draw: some.DrawFn) -> tuple[str, str, dict[str, Any], tuple[int, int], int, bool]:
    kind, mode, options = draw(some.sampled_from(SOURCES))
    pixels, shape = draw(some.integers(500_000, MOST_PIXELS)), draw(some.sampled_from([1, 1.5, 0.6, 4, 0.1, 30]))
    animates = kind in ANIMATED and mode in ("RGB", "RGBA", "P") and "transparency" not in options
    frames = draw(some.sampled_from([1, 1, 6])) if animates else 1
    width = max(1, int((pixels / frames * shape) ** 0.5))
    return kind, mode, options, (width, max(1, int(pixels / frames / width))), frames, draw(some.booleans())


@some.composite
def orders(draw: some.DrawFn, size: tuple[int, int], frames: int) -> dict[str, Any]:
    width, height = size
    side = min(size)  # fits however the picture is turned
    sides = some.sampled_from([1, 128, *size, width // 3 + 1, height // 2 + 1, int(width * 1.2)])
    often = {
        "rotate": some.sampled_from([90, 180, 33, -8, 45, 0.5]),
        "crop": some.just((side // 10, side // 10, max(1, side // 2), max(1, side // 2))),
        "fit": some.sampled_from(["cover", "contain", "fill"]),
        "enlarge": some.booleans(),
        "position": some.just("smart"),
    }
    filters = {
        "grayscale": some.just(True),
        "blur": some.floats(0.3, 50),
        "sharpen": some.just(80),
        "brightness": some.just(1.2),
        "saturation": some.just(1.4),
        "flip": some.just(True),
        "background": some.just("navy"),
    }
    chosen = draw(some.fixed_dictionaries({}, optional={**often, **filters}))
    formats = some.sampled_from(["auto", "jpeg", "png", "webp", "avif", "gif"])
    across, down = draw(some.tuples(sides, sides).filter(lambda box: box[0] * box[1] < MOST_PIXELS / frames))
    order = {**chosen, "width": across, "height": down, "format": draw(formats)}
    if order["format"] == "webp":
        order["lossless"] = draw(some.booleans())
    return order


def saved(
    folder: Path, kind: str, mode: str, options: dict[str, Any], size: tuple[int, int], frames: int, noisy: bool
) -> Path:
    path = folder / f"source.{kind}"
    first, *more = (picture(mode, size, noisy, number) for number in range(frames))
    animation: dict[str, Any] = {"save_all": True, "append_images": more, "duration": 50} if more else {}
    first.save(path, **options, **animation)
    return path


@needs_proc
@pytest.mark.timeout(120 + 30 * ORDERS)
@pytest.mark.usefixtures("_the_median_is_held")
@seed(SEED)
@given(some.data(), sources(), some.integers(1, 3))
@settings(
    max_examples=ORDERS,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
def test_the_peak_stays_under_the_estimate(
    tmp_path_factory: pytest.TempPathFactory,
    data: some.DataObject,
    source: tuple[str, str, dict[str, Any], tuple[int, int], int, bool],
    count: int,
) -> None:
    folder = tmp_path_factory.mktemp("orders")
    path = saved(folder, *source)
    wanted = [{**data.draw(orders(source[3], source[4])), "name": f"result-{number}"} for number in range(count)]
    try:
        outputs = [parse_output(order) for order in wanted]
    except QuickThumbError:  # sides beyond what results may have
        return
    estimate, peak = estimate_file_bytes(path, outputs, LIMITS), peak_bytes(path, folder, wanted)
    measured.append((estimate, peak))
    assert peak <= MOST_RATIO * estimate + CODECS_BYTES


@pytest.fixture(scope="module")
def _the_median_is_held() -> Any:
    measured.clear()
    yield
    ratios = [estimate / peak for estimate, peak in measured if peak > LARGE_BYTES]
    assert statistics.median(ratios or [1]) <= MOST_MEDIAN
