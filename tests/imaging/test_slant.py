"""Pictures rotated by anything other than quarters: only the window that shows is made, and it shows the same."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from quickthumb.imaging.engine import render
from quickthumb.imaging.geometry import plan, rotated_size
from quickthumb.imaging.levels import Level, Levels
from quickthumb.imaging.orientation import UPRIGHT, Turn, from_exif
from quickthumb.imaging.slant import plan_window
from quickthumb.model.errors import TooManyPixels
from quickthumb.model.output import Output, parse_output
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.measures import samples
from tests.imaging.pictures import disc, gradient, noise

DEGREES = some.floats(-359.9, 359.9).filter(lambda degrees: degrees % 90 != 0)


@pytest.mark.parametrize("degrees", [33, -20, 100.5, 245])
def test_a_slanted_picture_is_that_of_pillow(engine: Engine, degrees: float) -> None:
    picture = noise(160, 90)
    made = engine(picture, rotate=degrees, format="png").picture()
    wanted = picture.convert("RGBA").rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
    # Pillow rounds the size of the frame up.
    assert np.abs(samples(made) - samples(wanted.resize(made.size, Image.Resampling.LANCZOS))).mean() < 2


def whole_frame_then_cut(picture: Image.Image, degrees: float, mirror: Turn, output: Output) -> Image.Image:
    """What is made if the whole frame is: rotated by Pillow, and then cut."""
    slanted = mirror.apply(picture.convert("RGBA").rotate(-degrees, Image.Resampling.BICUBIC, expand=True))
    full = rotated_size(picture.size, degrees)
    planned = plan(full, output)
    level = Level(slanted, (slanted.width / full[0], slanted.height / full[1]))
    return Levels(level, full).cut(planned.region, planned.size, planned.part)


@given(some.data(), some.integers(1, 60), some.integers(1, 60), DEGREES, some.booleans(), some.integers(1, 8))
@settings(max_examples=80, deadline=None)
def test_a_window_shows_what_the_whole_frame_shows_there(
    tmp_path_factory: pytest.TempPathFactory,
    data: some.DataObject,
    width: int,
    height: int,
    degrees: float,
    flop: bool,
    orientation: int,
) -> None:
    folder = tmp_path_factory.getbasetemp()
    exif = Image.Exif()
    exif[274] = orientation
    stored = disc(60).resize((width, height))
    stored.save(folder / "any.png", exif=exif)
    upright = from_exif(orientation).apply(stored)
    frame = rotated_size(upright.size, degrees)
    left, top = data.draw(some.integers(0, frame[0] - 1)), data.draw(some.integers(0, frame[1] - 1))
    crop = (left, top, data.draw(some.integers(1, frame[0] - left)), data.draw(some.integers(1, frame[1] - top)))
    box = {"width": max(1, crop[2] - data.draw(some.integers(0, crop[2] // 2))), "height": crop[3], "fit": "fill"}
    output = parse_output({"rotate": degrees, "flop": flop, "format": "png", "crop": crop, **box})
    made = render(folder / "any.png", [output], folder, LIMITS).made[0]
    wanted = whole_frame_then_cut(upright, degrees, Turn(mirrored_x=flop), output)
    with Image.open(folder / made.filename) as picture:
        assert np.abs(samples(picture.convert("RGBA")) - samples(wanted)).max() <= 1


@given(some.integers(1, 40_000), some.integers(1, 40_000), DEGREES, some.integers(1, 3000), some.integers(1, 3000))
def test_a_window_has_little_more_than_what_shows(
    width: int, height: int, degrees: float, across: int, down: int
) -> None:
    upright = (width, height)
    slanted = rotated_size(upright, degrees)
    region = (0, 0, min(across, slanted[0]), min(down, slanted[1]))
    size = (max(1, round(region[2] / 3)), max(1, round(region[3] / 3)))
    window = plan_window(upright, degrees, UPRIGHT, slanted, region, size, region)
    shrink = max(1, min(region[2] / size[0], region[3] / size[1]) / 2)
    assert all(made <= side / shrink + 6 for made, side in zip(window.size, region[2:], strict=True))
    assert window.part[0] >= 0
    assert window.part[1] >= 0
    assert window.part[2] <= window.shrunk[0]
    assert window.part[3] <= window.shrunk[1]


def test_a_window_beside_the_picture_needs_none_of_it(engine: Engine) -> None:
    window = plan_window((1000, 10), 45, UPRIGHT, (714, 714), (0, 700, 9, 709), (9, 9), (0, 700, 9, 709))
    assert 0 in window.part_size
    made = engine(gradient(1000, 10), rotate=45, crop="0,700,9,9", format="png").picture()
    assert made.convert("RGBA").getchannel("A").getextrema() == (0, 0)


def test_mirroring_shows_the_other_side() -> None:
    corner = (0.0, 0.0, 9.0, 9.0)
    plain = plan_window((1000, 10), 45, UPRIGHT, (714, 714), corner, (9, 9), corner)
    mirrored = plan_window((1000, 10), 45, Turn(mirrored_x=True), (714, 714), corner, (9, 9), corner)
    assert 0 not in plain.part_size
    assert 0 in mirrored.part_size


@pytest.mark.parametrize(
    "parameters",
    [{}, {"size": "14000x1", "fit": "fill", "enlarge": "yes"}, {"width": 12_000, "height": 12_000, "fit": "contain"}],
)
def test_a_frame_with_too_many_pixels_is_refused(engine: Engine, tmp_path: Path, parameters: dict[str, object]) -> None:
    path = tmp_path / "strip.png"
    Image.new("L", (20_000, 1), 90).save(path)
    with pytest.raises(TooManyPixels):
        engine(path, rotate=45, **parameters)


def test_smart_looks_at_the_slanted_picture(engine: Engine) -> None:
    picture = Image.new("RGB", (300, 300), "gray")
    picture.paste("red", (140, 10, 160, 40))
    picture.paste("orange", (140, 20, 160, 30))
    made = engine(picture, rotate=135, size="60x30", fit="cover", position="smart", format="png", background="gray")
    # Turned by 135 degrees, the top of the picture is at the right and at the bottom.
    red, green, _ = (samples(made.picture().convert("RGB"))[:, :, band] for band in range(3))
    assert ((red - green) > 60).sum() > 3


def test_grey_strips_show_as_lines(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "strip.png"
    Image.new("L", (20_000, 1), 90).save(path)
    made = engine(path, rotate=45, crop="7000,7000,100,100", format="png").picture()
    alpha = samples(made.convert("RGBA"))[:, :, 3]
    assert (alpha.max(0) > 60).all()
    assert (alpha > 0).mean() < 0.05


THIN = some.integers(1, 9)
LONG = some.integers(1, 2000)


@given(some.data(), THIN, LONG, some.booleans(), some.one_of(DEGREES, some.sampled_from([0.0, 90.0, 270.0])))
@settings(max_examples=60, deadline=None)
def test_thin_pictures_of_any_format_can_be_slanted_and_shrunk(
    tmp_path_factory: pytest.TempPathFactory,
    data: some.DataObject,
    thin: int,
    long: int,
    wide: bool,
    degrees: float,
) -> None:
    folder = tmp_path_factory.getbasetemp()
    picture = Image.new("RGB", (long, thin) if wide else (thin, long), "white")
    box: dict[str, object] = data.draw(
        some.sampled_from(
            [
                {"width": 100},
                {"height": 1},
                {"width": 7, "height": 3, "fit": "cover"},
                {"width": 30, "height": 30, "fit": "contain"},
                {"width": 9, "height": 9, "fit": "cover", "position": "smart"},
                {"crop": "0,0,1,1"},
            ]
        )
    )
    output = parse_output({"rotate": degrees, "format": "png", **box})
    sizes = set()
    for suffix in ("jpeg", "png", "webp", "bmp", "tiff"):
        path = folder / f"thin.{suffix}"
        picture.save(path, lossless=True)
        made = render(path, [output], folder, LIMITS).made[0]
        sizes.add((made.width, made.height))
        with Image.open(folder / made.filename) as file:
            colors = np.asarray(file.convert("RGBA")).reshape(-1, 4)
        assert colors[colors[:, 3] > 250].min(initial=255) > 240, suffix
    assert len(sizes) == 1


def test_a_thin_jpeg_keeps_a_pixel_while_it_is_decoded(engine: Engine, corpus: Path) -> None:
    made = engine(corpus / "reported" / "narrow_3x2000.jpg", rotate=45, width=100, format="png")
    assert (made.only.width, made.only.height) == (100, 100)
    with Image.open(made.path()) as picture:
        assert np.asarray(picture.convert("RGBA"))[..., 3].max() > 0
