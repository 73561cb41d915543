"""Memory: the estimate bounds what is taken, and a large JPEG takes little."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from quickthumb.imaging.memory import estimate_decode_bytes, estimate_file_bytes
from quickthumb.model.output import Output
from tests.imaging.conftest import LIMITS
from tests.imaging.footprint import CODECS_BYTES, MEBIBYTE, needs_proc, peak_bytes
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
@pytest.mark.parametrize("name", ["small.jpg", "small.webp"])
def test_metadata_counts(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    noise(64, 48).save(source, icc_profile=bytes(range(256)) * 48 * 1024)
    estimate = estimate_file_bytes(source, [Output(width=32)], LIMITS)
    grown = peak_bytes(source, tmp_path, [{"width": 32}])
    assert grown < estimate + CODECS_BYTES


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
    assert estimate(100, Output(format="jpeg")) == estimate(1, Output())


def test_either_way_of_lying_is_allowed_for() -> None:
    def estimate(width: int, height: int) -> int:
        return estimate_decode_bytes(format="jpeg", width=width, height=height, outputs=[Output(width=1000)])

    assert estimate(6000, 2000) == pytest.approx(estimate(2000, 6000), rel=0.01)
    crop = Output(crop=(0, 0, 2000, 6000), width=10)
    assert estimate_decode_bytes(format="jpeg", width=6000, height=2000, outputs=[crop]) > 0
