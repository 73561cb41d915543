"""The color that stands for transparent in a PNG without alpha: exactly that one, at every depth."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quickthumb.imaging.memory import estimate_file_bytes
from quickthumb.model.output import Output
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.measures import samples
from tests.imaging.pictures import quadrants
from tests.imaging.png_files import (
    END,
    GREY,
    PALETTE,
    RGB,
    animated,
    header,
    interlaced,
    packed,
    palette,
    pixels,
    png,
)
from tests.imaging.test_broken import chunk

WIDTH, HEIGHT = 13, 9
DEPTHS = [(GREY, bits) for bits in (1, 2, 4, 8, 16)] + [(RGB, 8), (RGB, 16)]


def picture(color_type: int, bits: int, seed: int = 1) -> tuple[np.ndarray, tuple[int, ...]]:
    """Samples, and a key: some pixels have its color, and the others colors beside it, in one sample or in all."""
    random = np.random.default_rng(seed)
    bands = 3 if color_type == RGB else 1
    most = 2**bits - 1
    key = random.integers(0, most + 1, bands)
    near = np.clip(key + random.choice([-256, -1, 0, 0, 0, 1, 256], (HEIGHT, WIDTH, bands)), 0, most)
    near[0, 0], near[0, 1] = key, key ^ 1
    return (near if bands == 3 else near[..., 0]), tuple(int(sample) for sample in key)


def key_chunk(key: tuple[int, ...]) -> bytes:
    return chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))


def clear(found: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
    return np.asarray((found.reshape(HEIGHT, WIDTH, -1) == key).all(-1))


@pytest.mark.parametrize("adam7", [False, True])
@pytest.mark.parametrize(("color_type", "bits"), DEPTHS)
def test_a_key_of_every_depth(engine: Engine, tmp_path: Path, color_type: int, bits: int, adam7: bool) -> None:
    for seed in range(3):
        found, key = picture(color_type, bits, seed)
        rows = interlaced(found, bits) if adam7 else packed(found, bits)
        head = header(WIDTH, HEIGHT, color_type, bits, interlaced=adam7)
        (tmp_path / "key.png").write_bytes(png(head, key_chunk(key), pixels(rows), END))
        result = engine(tmp_path / "key.png", format="webp", lossless="yes")
        made = samples(result.picture().convert("RGBA"))
        assert np.array_equal(made[..., 3] == 0, clear(found, key))
        scaled = np.round(found * (255 / (2**bits - 1))) if color_type == GREY else found >> (bits - 8)
        seen = ~clear(found, key)
        assert np.array_equal(made[seen][:, 0], scaled.reshape(HEIGHT, WIDTH, -1)[seen][:, 0])
        assert result.rendering.facts.has_alpha


@pytest.mark.parametrize(("color_type", "bits"), DEPTHS)
def test_a_key_holds_for_every_frame(engine: Engine, tmp_path: Path, color_type: int, bits: int) -> None:
    _, key = picture(color_type, bits)
    frames = [picture(color_type, bits, seed)[0] for seed in (1, 2, 3)]
    for frame in frames:
        frame[4:] = key
    head = header(WIDTH, HEIGHT, color_type, bits)
    rows = [packed(frame, bits) for frame in frames]
    (tmp_path / "key.png").write_bytes(animated(head, key_chunk(key), rows, WIDTH, HEIGHT))
    result = engine(tmp_path / "key.png", format="webp", lossless="yes")
    assert result.only.frames == 3
    with Image.open(result.path()) as image:
        for index, frame in enumerate(frames):
            image.seek(index)
            assert np.array_equal(samples(image.convert("RGBA"))[..., 3] == 0, clear(frame, key))


def test_the_upper_bits_of_a_key_do_not_count(engine: Engine, tmp_path: Path) -> None:
    found, key = picture(GREY, 4)
    head = header(WIDTH, HEIGHT, GREY, 4)
    (tmp_path / "key.png").write_bytes(png(head, key_chunk((key[0] | 0xABC0,)), pixels(packed(found, 4)), END))
    made = samples(engine(tmp_path / "key.png", format="png").picture().convert("RGBA"))
    assert np.array_equal(made[..., 3] == 0, clear(found, key))


def test_no_key_no_alpha(engine: Engine, tmp_path: Path) -> None:
    found, _ = picture(RGB, 16)
    file = png(header(WIDTH, HEIGHT, RGB, 16), pixels(packed(found, 16)), END)
    (tmp_path / "plain.png").write_bytes(file)
    result = engine(tmp_path / "plain.png", format="png")
    assert not result.rendering.facts.has_alpha


def test_a_palette_with_fewer_alphas_than_colors(engine: Engine, tmp_path: Path) -> None:
    colors = palette((255, 0, 0), (0, 255, 0), (0, 0, 255))
    rows = pixels([bytes((0, 1, 2, 0))] * 4)
    file = png(header(4, 4, PALETTE), colors, chunk(b"tRNS", bytes((255, 40))), rows, END)
    (tmp_path / "palette.png").write_bytes(file)
    made = samples(engine(tmp_path / "palette.png", format="png").picture().convert("RGBA"))
    assert made[0, :, 3].tolist() == [255, 40, 255, 255]


def test_the_second_decoder_of_an_animation_is_counted(tmp_path: Path) -> None:
    frames = [quadrants(300, 200), quadrants(300, 200).rotate(180)]
    rows = [packed(samples(frame).astype(int) * 257, 16) for frame in frames]
    estimates = []
    for key in (b"", key_chunk((65535, 0, 0))):
        (tmp_path / "key.png").write_bytes(animated(header(300, 200, RGB, 16), key, rows, 300, 200))
        estimates.append(estimate_file_bytes(tmp_path / "key.png", [Output(width=30)], LIMITS))
    assert estimates[1] - estimates[0] > 300 * 200 * 12
