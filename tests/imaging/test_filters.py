"""Adjustments and filters: in their stated units."""

import numpy as np
import pytest
from PIL import Image

from tests.imaging.conftest import Engine
from tests.imaging.measures import samples
from tests.imaging.pictures import disc, gradient


def flat(engine: Engine, color: tuple[int, int, int], **parameters: object) -> tuple[int, ...]:
    made = engine(Image.new("RGB", (8, 8), color), format="png", **parameters).picture().convert("RGB").getpixel((4, 4))
    assert isinstance(made, tuple)
    return tuple(int(sample) for sample in made)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"brightness": 0.5}, (50, 25, 10)),
        ({"brightness": 2}, (200, 100, 40)),
        ({"brightness": 0}, (0, 0, 0)),
        ({"contrast": 0}, (128, 128, 128)),
        ({"contrast": 2}, (73, 0, 0)),
        ({"saturation": 0}, (58, 58, 58)),
        ({"saturation": 2}, (142, 42, 0)),
        ({"grayscale": "yes"}, (62, 62, 62)),
        ({}, (100, 50, 20)),
    ],
)
def test_factors_are_those_of_css(engine: Engine, parameters: dict[str, object], expected: tuple[int, ...]) -> None:
    assert flat(engine, (100, 50, 20), **parameters) == pytest.approx(expected, abs=1)


def test_transparency_is_left_alone(engine: Engine) -> None:
    plain = samples(engine(disc(64), format="png").picture())
    made = samples(
        engine(disc(64), format="png", grayscale="yes", brightness=0.5, contrast=1.2, saturation=2).picture()
    )
    assert np.array_equal(plain[..., 3], made[..., 3])
    assert made[32, 32, 0] == made[32, 32, 1] == made[32, 32, 2]


def test_blur_is_in_pixels_of_the_result(engine: Engine) -> None:
    """A blurred edge rises as the normal distribution does: from 16 to 84 percent within two sigma."""
    edge = Image.new("L", (200, 40), 0)
    edge.paste(255, (100, 0, 200, 40))
    for width in (200, 100):
        row = samples(engine(edge, width=width, blur=5, format="png").picture().convert("L"))[10]
        rise = np.interp([0.159 * 255, 0.841 * 255], row, np.arange(width))
        assert rise[1] - rise[0] == pytest.approx(10, rel=0.12)


def test_sharpening_steepens_edges_and_leaves_plains(engine: Engine) -> None:
    edge = Image.new("L", (60, 20), 60)
    edge.paste(180, (30, 0, 60, 20))
    soft = engine(edge, blur=1, format="png").picture()
    sharp = engine(soft, sharpen=200, format="png").picture()
    steepness = [np.abs(np.diff(samples(picture.convert("L"))[10])).max() for picture in (soft, sharp)]
    assert steepness[1] > 1.5 * steepness[0]
    assert flat(engine, (100, 50, 20), sharpen=500) == (100, 50, 20)


def test_grayscale_makes_a_grey_file(engine: Engine) -> None:
    assert engine(gradient(), grayscale="yes", format="jpeg").picture().mode == "L"
