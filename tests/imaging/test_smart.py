"""`position=smart` finds the interesting part of a picture."""

import numpy as np
import pytest
from PIL import Image

from quickthumb.imaging.smart import anchor
from tests.imaging.conftest import Engine
from tests.imaging.measures import samples
from tests.imaging.pictures import noise


def plain_with(thing: Image.Image, at: tuple[int, int], size: tuple[int, int] = (300, 100)) -> Image.Image:
    picture = Image.new("RGB", size, "#8899aa")
    picture.paste(thing, at)
    return picture


@pytest.mark.parametrize("x", [10, 120, 240])
def test_detail_is_kept_in_view(engine: Engine, x: int) -> None:
    picture = plain_with(noise(48, 48), (x, 30))
    made = engine(picture, size="100x100", fit="cover", position="smart", format="png").picture()
    busy = np.abs(np.diff(samples(made.convert("L")), axis=1)) > 3
    assert busy.sum() > 0.9 * (np.abs(np.diff(samples(picture.convert("L")), axis=1)) > 3).sum()


@pytest.mark.parametrize("orientation", ["across", "down"])
def test_skin_and_color_draw_the_eye(orientation: str) -> None:
    for color in ("#c68863", "#ff2200"):
        picture = plain_with(Image.new("RGB", (40, 40), color), (230, 30))
        if orientation == "down":
            picture = picture.transpose(Image.Transpose.TRANSPOSE)
            assert anchor(picture, (1, 1 / 3))[1] > 0.75
        else:
            assert anchor(picture, (1 / 3, 1))[0] > 0.75


def test_a_plain_picture_is_cut_in_the_middle() -> None:
    assert anchor(Image.new("RGB", (120, 40), "#8899aa"), (1 / 3, 1)) == (0.5, 0.5)


def test_transparent_parts_are_not_interesting() -> None:
    picture = plain_with(Image.new("RGB", (40, 40), "#ff2200"), (230, 30)).convert("RGBA")
    picture.paste((0, 255, 0, 0), (0, 0, 100, 100))
    assert anchor(picture, (1 / 3, 1))[0] > 0.75


def test_one_position_for_all_frames(engine: Engine) -> None:
    """An animation would jump if every frame were cut elsewhere: the first one decides."""
    frames = [plain_with(noise(48, 48), (x, 30)) for x in (10, 120, 240)]
    result = engine(frames[0], size="100x100", fit="cover", position="smart", format="png")
    assert result.only.width == 100
