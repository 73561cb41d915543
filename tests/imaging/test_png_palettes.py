"""PNG results with palettes: exact where 256 colors suffice, and close enough where the source had a palette."""

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from quickthumb.imaging import png_palettes, png_ways
from quickthumb.imaging.formats.row import Asked
from tests.imaging.conftest import Engine
from tests.imaging.measures import psnr, samples
from tests.imaging.pictures import disc, noise, quadrants

INK = ((40, 60, 120), (255, 255, 255), (200, 30, 60), (240, 200, 40), (20, 20, 20))


def screen(width: int = 400, height: int = 300) -> Image.Image:
    """Flat areas, lines and text in five colors, as in a screenshot of 16."""
    picture = Image.new("P", (width, height), 1)
    picture.putpalette([level for color in INK for level in color])
    drawing = ImageDraw.Draw(picture)
    drawing.rectangle((0, 0, width, 40), fill=0)
    for row in range(60, height - 20, 12):
        drawing.text((10 + row % 30, row), "All work and no play makes Jack a dull boy " * 2, fill=4)
    drawing.ellipse((width - 120, 80, width - 20, 180), fill=2, outline=3, width=4)
    return picture


def badge(size: int = 300) -> Image.Image:
    """A disc with a soft edge, as a palette of colors that are partly transparent."""
    picture = disc(2 * size).resize((size, size), Image.Resampling.LANCZOS)
    made = png_palettes.exactly([picture], keep_hidden=False) or next(png_palettes.closely([picture]))
    assert made is not None
    return made[0]


def bits(path: Path) -> tuple[int, int]:
    """The bits of a sample, and the kind of the pixels (ISO 15948, 11.2.2)."""
    head = path.read_bytes()[:26]
    return head[24], head[25]


def test_a_palette_stays_exactly_as_it_was(engine: Engine, tmp_path: Path) -> None:
    screen().save(tmp_path / "screen.png", bits=4)
    result = engine(tmp_path / "screen.png", format="png")
    assert bits(result.path()) == (4, 3)
    assert result.picture().convert("RGB").tobytes() == screen().convert("RGB").tobytes()
    assert result.only.bytes <= (tmp_path / "screen.png").stat().st_size * 1.05


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp", "tiff"])
def test_a_smaller_picture_of_a_palette_has_one_too(engine: Engine, tmp_path: Path, suffix: str) -> None:
    screen().save(tmp_path / f"screen.{suffix}")
    plain = engine(tmp_path / f"screen.{suffix}", width=300, format="png", lossless="yes")
    exact, length = plain.picture().convert("RGB"), plain.only.bytes
    result = engine(tmp_path / f"screen.{suffix}", width=300, format="png")
    made = result.picture()
    assert made.mode == "P"
    assert psnr(made.convert("RGB"), exact) >= png_palettes.LEAST_DECIBELS
    assert result.only.bytes < length / 2
    assert made.convert("RGB").getpixel((150, 5)) == INK[0]  # flat areas stay exact
    assert made.convert("RGB").getpixel((298, 222)) == INK[1]


def test_lossless_keeps_every_pixel(engine: Engine, tmp_path: Path) -> None:
    screen().save(tmp_path / "screen.png")
    outputs = [{"name": name, "format": name, "width": 300, "lossless": "yes"} for name in ("png", "webp")]
    result = engine(tmp_path / "screen.png", *outputs)
    assert result.picture("png").mode == "RGB"
    assert result.picture("png").tobytes() == result.picture("webp").convert("RGB").tobytes()


def test_partly_transparent_palettes(engine: Engine, tmp_path: Path) -> None:
    badge().save(tmp_path / "badge.png")
    whole = engine(tmp_path / "badge.png", format="png")
    assert whole.picture().mode == "P"
    assert np.array_equal(samples(whole.picture().convert("RGBA")), samples(badge().convert("RGBA")))
    exact = engine(tmp_path / "badge.png", width=200, format="png", lossless="yes").picture()
    small = engine(tmp_path / "badge.png", width=200, format="png")
    assert small.picture().mode == "P"
    assert png_palettes.is_invisible(exact, small.picture())
    alphas = np.unique(samples(small.picture().convert("RGBA"))[..., 3])
    assert {0, 255} < set(alphas.tolist())


def test_too_many_transparent_colors_are_merged_only_if_nobody_sees_it() -> None:
    soft = disc(300, hidden=(0, 0, 0)).resize((211, 211), Image.Resampling.BICUBIC)
    assert all(png_palettes.is_invisible(soft, made[0]) for made in png_palettes.closely([soft]))
    rough = noise(200, 200).convert("RGBA")
    rough.putalpha(noise(200, 200, seed=5).convert("L"))
    assert not list(png_palettes.closely([rough]))


def test_what_is_hidden_is_kept_if_asked(engine: Engine, tmp_path: Path) -> None:
    disc(100, hidden=(0, 255, 0)).save(tmp_path / "hidden.png")
    kept = engine(tmp_path / "hidden.png", format="png", lossless="yes").picture()
    assert samples(kept.convert("RGBA"))[0, 0].tolist() == [0, 255, 0, 0]
    assert engine(tmp_path / "hidden.png", format="png").picture().mode == "P"


def test_photos_of_a_palette_stay_photos(engine: Engine, tmp_path: Path) -> None:
    noise(300, 200).quantize(256).save(tmp_path / "photo.png")
    assert engine(tmp_path / "photo.png", width=200, format="png").picture().mode == "RGB"


def test_gray_needs_one_band_and_few_bits(engine: Engine, tmp_path: Path) -> None:
    gray = Image.linear_gradient("L")
    gray.convert("RGB").save(tmp_path / "gray.png")
    result = engine(tmp_path / "gray.png", format="png")
    assert (result.picture().mode, bits(result.path())) == ("L", (8, 0))
    assert result.picture().tobytes() == gray.tobytes()
    for levels, expected in (((0, 255), 1), ((0, 85, 170), 2), ((0, 17, 34, 255), 4), ((0, 18, 255), 8)):
        made = gray.point([levels[level % len(levels)] for level in range(256)])
        made.save(tmp_path / "gray.png")
        result = engine(tmp_path / "gray.png", format="png")
        assert bits(result.path()) == (expected, 0)
        assert result.picture().convert("L").tobytes() == made.tobytes()


def test_gray_with_the_profile_of_colors_stays_in_rgb(engine: Engine, tmp_path: Path, corpus: Path) -> None:
    with Image.open(corpus / "reported" / "png_icc_1300000.png") as image:
        profile = image.info["icc_profile"]
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "gray.png", icc_profile=profile)
    result = engine(tmp_path / "gray.png", format="png", metadata="keep")
    assert result.picture().mode != "L"
    assert result.picture().info["icc_profile"] == profile


def test_the_frames_of_an_animation_share_a_palette(engine: Engine, tmp_path: Path) -> None:
    first, second = quadrants(120, 80), quadrants(120, 80).rotate(180)
    first.save(tmp_path / "source.png", save_all=True, append_images=[second, first], duration=100)
    result = engine(tmp_path / "source.png", format="png")
    assert bits(result.path()) == (2, 3)
    with Image.open(result.path()) as image:
        shown = []
        for index in range(3):
            image.seek(index)
            shown.append(image.convert("RGB").tobytes())
    assert shown == [frame.tobytes() for frame in (first, second, first)]


@pytest.mark.parametrize("seed", range(12))
def test_every_way_shows_the_same(tmp_path: Path, seed: int) -> None:
    """Unless a palette is chosen, whatever the colors, the mode, the size and the number of frames."""
    numbers = random.Random(seed)
    mode = numbers.choice(["L", "RGB", "RGBA"])
    bands, colors = len(mode), numbers.choice([1, 2, 3, 7, 16, 17, 250, 256, 257, 1000])
    size = numbers.choice([(200, 90), (1, 5000), (5000, 1), (333, 77)])
    table = [tuple(numbers.choice([0, 255, numbers.randrange(256)]) for _ in range(bands)) for _ in range(colors)]
    frames = []
    for _ in range(numbers.choice([1, 1, 3])):
        content = bytes(level for _ in range(math.prod(size)) for level in numbers.choice(table))
        frames.append(Image.frombytes(mode, size, content))
    asked = Asked(None, True, math.prod(size), has_profile=numbers.random() < 0.3)
    for made, options in png_ways.ways(frames, asked):
        more: dict[str, Any] = {"save_all": True, "append_images": made[1:], "duration": 100} if len(made) > 1 else {}
        made[0].save(tmp_path / "made.png", **options, **more)
        with Image.open(tmp_path / "made.png") as image:
            assert image.convert("RGBA").tobytes() == frames[0].convert("RGBA").tobytes()


def test_the_reported_screenshot(engine: Engine, corpus: Path) -> None:
    path = corpus / "reported" / "palette16_screenshot.png"
    length = path.stat().st_size
    same, small = engine(path, format="png"), engine(path, {"name": "small", "width": 600})
    with Image.open(path) as image:
        assert same.picture().convert("RGB").tobytes() == image.convert("RGB").tobytes()
    assert same.only.bytes <= length
    assert small.only.bytes <= length
    exact = engine(path, {"name": "exact", "width": 600, "format": "webp", "lossless": "yes"}).picture("exact")
    assert psnr(small.picture("small").convert("RGB"), exact.convert("RGB")) >= png_palettes.LEAST_DECIBELS
