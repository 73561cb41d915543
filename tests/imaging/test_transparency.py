"""Transparency: no fringes where it ends, and a ground where a format has none."""

import numpy as np
import pytest
from PIL import Image

from tests.imaging.conftest import Engine
from tests.imaging.measures import samples
from tests.imaging.pictures import disc


@pytest.mark.parametrize("hidden", [(0, 255, 0), (0, 0, 0), (255, 255, 255)])
@pytest.mark.parametrize("filters", [{}, {"blur": 2}, {"sharpen": 150}, {"rotate": 20}])
@pytest.mark.parametrize("width", [150, 63, 20])
def test_what_is_hidden_never_shows(
    engine: Engine, hidden: tuple[int, int, int], filters: dict[str, float], width: int
) -> None:
    made = samples(engine(disc(200, hidden), width=width, format="png", **filters).picture().convert("RGBA"))
    seen = made[made[..., 3] > 8]
    # In few levels of alpha a premultiplied color has as few levels, so faint pixels may be a little off.
    weight = seen[:, 3] / 255
    assert (np.abs(seen[:, 0] - 255) * weight).max() < 6
    assert (seen[:, 1:3].max(1) * weight).max() < 6


def test_flattened_on_white_or_on_the_background(engine: Engine) -> None:
    white = engine(disc(), format="jpeg").picture()
    assert white.mode == "RGB"
    assert min(white.getpixel((2, 2))) > 250  # type: ignore[arg-type]
    blue = engine(disc(), format="jpeg", background="#0000ff", quality=95).picture()
    assert blue.getpixel((2, 2)) == pytest.approx((0, 0, 254), abs=4)


def test_edges_blend_into_the_background(engine: Engine) -> None:
    made = samples(engine(disc(200), width=50, format="jpeg", quality=100).picture())
    assert made[..., 0].min() > 245  # red on white: nothing darker between


def test_a_half_transparent_background_in_jpeg_lies_on_white(engine: Engine) -> None:
    made = engine(disc(), format="jpeg", background="#00000080", quality=95).picture()
    assert made.getpixel((2, 2)) == pytest.approx((127, 127, 127), abs=4)


def test_opaque_pictures_lose_a_useless_alpha_channel(engine: Engine) -> None:
    assert engine(Image.new("RGBA", (20, 20), "red"), format="png").picture().mode == "RGB"


@pytest.mark.parametrize("name", ["png", "webp", "avif", "gif"])
def test_transparency_survives_where_it_can(engine: Engine, name: str) -> None:
    made = samples(engine(disc(), width=100, format=name).picture().convert("RGBA"))
    assert made[2, 2, 3] == 0
    assert made[50, 50, 3] == 255
    assert made[50, 50, 0] > 240
