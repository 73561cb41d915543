"""Memory: the estimate bounds files that are read in ways of their own, too."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quickthumb.imaging.memory import estimate_file_bytes
from quickthumb.model.output import parse_output
from tests.imaging import tiff_files as tf
from tests.imaging.conftest import LIMITS
from tests.imaging.footprint import CODECS_BYTES, needs_proc, peak_bytes
from tests.imaging.pictures import noise
from tests.imaging.test_bmp import LAYOUTS, MASKS, bmp

WIDTH, HEIGHT = 3000, 2000
LAYOUTS_OF_TIFF: dict[str, tuple[int, int, tf.Tags]] = {
    "planes of 16 bits": (3, 16, {tf.PHOTOMETRIC: 2, tf.PLANAR: 2}),
    "gray and alpha of 16 bits": (2, 16, {tf.PHOTOMETRIC: 1, tf.EXTRA: 2}),
    "ink and alpha": (5, 8, {tf.PHOTOMETRIC: 5, tf.EXTRA: 2}),
    "ink and alpha of 16 bits": (5, 16, {tf.PHOTOMETRIC: 5, tf.EXTRA: 2}),
    "white is zero in 16 bits": (1, 16, {tf.PHOTOMETRIC: 0}),
}


def bounded(source: Path, folder: Path) -> None:
    order = {"width": 200, "format": "jpeg"}
    peak = peak_bytes(source, folder, [order])
    estimate = estimate_file_bytes(source, [parse_output(order)], LIMITS)
    assert peak < estimate + CODECS_BYTES


@needs_proc
@pytest.mark.parametrize("name", LAYOUTS_OF_TIFF)
def test_tiffs_of_any_layout(tmp_path: Path, name: str) -> None:
    count, bits, tags = LAYOUTS_OF_TIFF[name]
    samples = np.random.default_rng(1).integers(0, 1 << bits, (HEIGHT, WIDTH, count))
    (tmp_path / "large.tif").write_bytes(tf.of_samples(samples, tags, bits=bits))
    bounded(tmp_path / "large.tif", tmp_path)


@needs_proc
def test_bitmaps_with_masks(tmp_path: Path) -> None:
    bits, masks = LAYOUTS["11 11 10"]
    rows = [np.random.default_rng(row).bytes(4 * WIDTH) for row in range(HEIGHT)]
    data = bmp(rows, bits, compression=MASKS, masks=masks, size=(WIDTH, HEIGHT))
    (tmp_path / "large.bmp").write_bytes(data)
    bounded(tmp_path / "large.bmp", tmp_path)


@needs_proc
@pytest.mark.parametrize("progressive", [False, True])
def test_jpegs_that_are_decoded_again(tmp_path: Path, progressive: bool) -> None:
    file = io.BytesIO()
    picture = noise(500, 400).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    picture.save(file, "JPEG", quality=90, progressive=progressive)
    (tmp_path / "cut.jpg").write_bytes(file.getvalue()[:-2])
    order = {"format": "png", "crop": "0,0,20,20"}
    peak = peak_bytes(tmp_path / "cut.jpg", tmp_path, [order])
    assert peak < estimate_file_bytes(tmp_path / "cut.jpg", [parse_output(order)], LIMITS) + CODECS_BYTES
