"""Every way a picture can lie comes out upright, whatever else is asked for."""

from pathlib import Path

import pytest
from PIL import ExifTags, Image, ImageChops, ImageOps

from quickthumb.imaging.orientation import from_exif
from tests.imaging.conftest import Engine
from tests.imaging.measures import blurred, psnr, ssim
from tests.imaging.pictures import gradient, quadrants

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def stored(upright: Image.Image, orientation: int, path: Path) -> Path:
    """A file that holds the picture turned, and the orientation that makes it upright again."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    turned = upright.transpose(TURNS[orientation]) if orientation in TURNS else upright
    options = {"lossless": True} if path.suffix == ".webp" else {"quality": 95, "subsampling": 0}
    turned.save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_corpus_lies_alike(engine: Engine, corpus: Path, orientation: int) -> None:
    first = engine(corpus / "orientation" / "landscape-2.jpg", width=200, format="png").picture()
    other = engine(corpus / "orientation" / f"landscape-{orientation}.jpg", width=200, format="png")
    assert (other.rendering.facts.width, other.rendering.facts.height) == (600, 450)
    assert ssim(blurred(other.picture()), blurred(first)) > 0.98


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_every_format_that_tells_its_orientation(engine: Engine, tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = gradient(96, 64)
    result = engine(stored(upright, orientation, tmp_path / f"source.{suffix}"), format="png")
    assert (result.rendering.facts.width, result.rendering.facts.height) == (96, 64)
    assert psnr(result.picture(), upright) > 35


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_those_of_the_upright_picture(engine: Engine, tmp_path: Path, orientation: int) -> None:
    path = stored(quadrants(480, 320), orientation, tmp_path / "source.png")
    cropped = engine(path, crop="240,160,240,160", width=30, format="png").picture()
    assert cropped.convert("RGB").getcolors() == [(30 * 20, (0, 0, 255))]
    corner = engine(path, size="40x80", fit="cover", position="top-right", format="png").picture()
    assert corner.convert("RGB").getpixel((35, 5)) == (0, 255, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("degrees", [0, 90, 180, 270, -90, 360])
@pytest.mark.parametrize("mirrored", [{}, {"flip": "yes"}, {"flop": "yes"}, {"flip": "yes", "flop": "yes"}])
def test_turns_and_mirrors_add_up(
    engine: Engine, tmp_path: Path, orientation: int, degrees: int, mirrored: dict[str, str]
) -> None:
    upright = gradient(12, 8)
    expected = upright.rotate(-degrees, expand=True)
    expected = ImageOps.flip(expected) if "flip" in mirrored else expected
    expected = ImageOps.mirror(expected) if "flop" in mirrored else expected
    path = stored(upright, orientation, tmp_path / "source.png")
    made = engine(path, rotate=degrees, format="png", **mirrored).picture()
    assert ImageChops.difference(made.convert("RGB"), expected).getbbox() is None


def test_slanted_pictures_show_the_background_in_their_corners(engine: Engine) -> None:
    result = engine(quadrants(100, 60), rotate=30, background="#000080", format="png")
    picture = result.picture().convert("RGB")
    assert picture.size == (117, 102)
    assert {picture.getpixel(at) for at in ((0, 0), (116, 0), (0, 101), (116, 101))} == {(0, 0, 128)}
    assert picture.getpixel((44, 26)) == (255, 0, 0)
    assert picture.getpixel((72, 76)) == (0, 0, 255)


def test_slanted_corners_are_clear_or_white_unasked(engine: Engine) -> None:
    clear = engine(quadrants(100, 60), rotate=45, format="png").picture()
    assert clear.mode == "RGBA"
    assert clear.getpixel((0, 0)) == (0, 0, 0, 0)
    assert engine(quadrants(100, 60), rotate=45, format="jpeg").picture().getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("nonsense", [0, 9, "6", None])
def test_unknown_orientations_ask_for_nothing(nonsense: object) -> None:
    assert from_exif(nonsense) == from_exif(1)
