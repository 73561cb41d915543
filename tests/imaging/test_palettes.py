"""Palettes: exact where a picture has few colors, and good where it has many."""

import random

import numpy as np
import pytest
from PIL import Image, ImageChops

from quickthumb.imaging.color_choice import choose
from quickthumb.imaging.indexed import HIDDEN, Color, colors_of, exact, with_palette
from quickthumb.imaging.palettes import quantize
from tests.imaging.measures import psnr
from tests.imaging.pictures import disc, gradient, noise


def dotted(colors: list[Color], mode: str) -> Image.Image:
    """All of the colors, in random places."""
    chosen = random.Random(3).choices(colors, k=4000 - len(colors)) + colors
    picture = Image.frombytes("RGBA", (80, 50), b"".join(map(bytes, chosen)))
    return picture if mode == "RGBA" else picture.convert(mode)


def close_colors(count: int, alphas: tuple[int, ...] = (255,)) -> list[Color]:
    return [(index % 9, index // 9, 255 - index % 3, alphas[index % len(alphas)]) for index in range(count)]


def equal(one: Image.Image, other: Image.Image) -> bool:
    return ImageChops.difference(one.convert("RGBA"), other.convert("RGBA")).getbbox(alpha_only=False) is None


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("count", [1, 2, 100, 256])
def test_few_colors_are_kept(mode: str, count: int) -> None:
    alphas = (255, 128, 1) if mode == "RGBA" else (255,)
    picture = dotted(close_colors(count, alphas), mode)
    colors = colors_of([picture])
    assert colors is not None
    assert mode == "L" or len(colors) == count
    made = exact(picture, colors)
    assert made.mode == "P"
    assert equal(made, picture)


def test_hidden_pixels_are_one_color() -> None:
    colors = [*close_colors(20), (1, 2, 3, 0), (4, 5, 6, 0)]
    picture = dotted(colors, "RGBA")
    found = colors_of([picture])
    assert found == [HIDDEN, *sorted(close_colors(20))]
    made = exact(picture, found or [])
    assert made.info["transparency"] == 0
    assert equal(made.convert("RGBA").getchannel("A"), picture.getchannel("A"))


def test_colors_are_counted_in_all_pictures_together() -> None:
    one, other = dotted(close_colors(200), "RGB"), dotted([(9, 9, index, 255) for index in range(57)], "RGB")
    assert colors_of([one, other]) is None
    assert colors_of([one]) is not None
    assert colors_of([one], 199) is None


def test_partly_transparent_colors_make_a_palette_with_alpha() -> None:
    made = with_palette(Image.new("L", (2, 2), 1), [HIDDEN, (1, 2, 3, 77)])
    assert made.convert("RGBA").getpixel((0, 0)) == (1, 2, 3, 77)
    assert "transparency" not in made.info


@pytest.mark.parametrize("most", [3, 16, 255, 256])
@pytest.mark.parametrize("dither", [True, False])
def test_many_colors_become_at_most_so_many(most: int, dither: bool) -> None:
    made = quantize(noise(), most, dither)
    assert len(made.getcolors() or []) <= most
    assert len(made.getpalette() or []) <= 3 * most
    pillow = noise().quantize(most, Image.Quantize.MEDIANCUT)
    assert psnr(made, noise()) > psnr(pillow, noise()) - (0.1 if dither else 0)


def test_equal_pixels_become_equal_in_all_pictures() -> None:
    pictures = [noise(), noise().rotate(180)]
    palette = choose(pictures, 200)
    one, other = (palette.nearest(picture) for picture in pictures)
    assert equal(one.rotate(180), other)


def test_what_hardly_changes_keeps_its_color() -> None:
    picture = noise()
    palette = choose([picture], 64)
    before = palette.nearest(picture)
    after = palette.nearest(picture.point([min(255, level + 1) for level in range(256)] * 3), before)
    alone = palette.nearest(picture.point([min(255, level + 1) for level in range(256)] * 3))
    assert unlike(before, after) < 0.3 * unlike(before, alone)


def test_colors_that_are_exact_are_not_held_back() -> None:
    picture = noise()
    picture.paste((254, 254, 254), (0, 0, 60, 40))
    white = picture.copy()
    white.paste((255, 255, 255), (0, 0, 60, 40))
    palette = choose([picture, white], 200)
    made = palette.nearest(white, palette.nearest(picture))
    assert made.convert("RGB").crop((0, 0, 60, 40)).getcolors() == [(2400, (255, 255, 255))]


def unlike(one: Image.Image, other: Image.Image) -> float:
    return float(np.mean(np.asarray(one) != np.asarray(other)))


def test_transparent_pixels_take_one_color() -> None:
    picture = noise(200, 200).convert("RGBA")
    picture.putalpha(disc(200).getchannel("A"))
    made = quantize(picture, 256, dither=True).convert("RGBA")
    assert equal(made.getchannel("A"), picture.getchannel("A"))
    assert psnr(on_black(made), on_black(picture)) > 28


def on_black(picture: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture)


def test_a_picture_of_nothing_but_transparency() -> None:
    made = quantize(Image.new("RGBA", (9, 9)), 256, dither=True).convert("RGBA")
    assert made.getchannel("A").getextrema() == (0, 0)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2, 2)])
def test_slim_pictures(size: tuple[int, int]) -> None:
    picture = gradient(300, 300).resize(size)
    for dither in (True, False):
        assert quantize(picture, 16, dither).size == size
