"""A result that keeps the colors of its source has its background in the same colors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from quickthumb.imaging.color import made_profiles
from tests.imaging.color_files import cicp, gamma, png
from tests.imaging.conftest import Engine
from tests.imaging.measures import in_srgb, samples
from tests.imaging.pictures import disc

GREEN = (64, 192, 64)
ONE_WAY = "The background could not be converted to the kept color profile, so its color may look different."


def shown(picture: Image.Image) -> Image.Image:
    """The picture as a viewer shows it."""
    profile = picture.info.get("icc_profile")
    if profile is None:
        return picture
    picture = picture.convert("L" if profile[16:20] == b"GRAY" else "RGB")
    picture.info["icc_profile"] = profile
    return in_srgb(picture)


def padded(engine: Engine, path: Path, **parameters: Any) -> Image.Image:
    return engine(path, **{"size": "60x20", "fit": "contain", "metadata": "keep", **parameters}).picture()


def is_near(picture: Image.Image, place: tuple[int, int], wanted: tuple[int, ...], most: float) -> bool:
    return bool(np.abs(samples(picture.convert("RGB"))[place[::-1]] - wanted[:3]).max() <= most)


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A picture in BT.2020, far from sRGB."""
    (tmp_path / "wide.png").write_bytes(png(Image.new("RGB", (20, 20), (200, 40, 40)), cicp(9, 13)))
    return tmp_path / "wide.png"


@pytest.mark.parametrize(("name", "most"), [("png", 2), ("webp", 6), ("jpeg", 6), ("avif", 6)])
def test_padding_is_converted_into_the_kept_colors(engine: Engine, wide: Path, name: str, most: float) -> None:
    picture = padded(engine, wide, format=name, background="#40c040")
    assert is_near(shown(picture), (3, 10), GREEN, most)
    assert not is_near(picture, (3, 10), GREEN, 20)


def test_without_a_kept_profile_the_background_is_in_srgb(engine: Engine, wide: Path) -> None:
    for parameters in ({"metadata": "strip", "format": "png"}, {"format": "gif"}):
        assert is_near(padded(engine, wide, background="#40c040", **parameters), (3, 10), GREEN, 1)


def test_a_background_that_shines_through(engine: Engine, wide: Path) -> None:
    picture = padded(engine, wide, format="png", background="#40c04080")
    assert picture.getpixel((3, 10))[3] == 128  # type: ignore[index]
    assert is_near(shown(picture), (3, 10), GREEN, 2)
    over_white = padded(engine, wide, format="jpeg", background="#40c04080", quality=95)
    assert is_near(shown(over_white), (3, 10), (159, 223, 159), 6)


def test_what_lies_behind_a_transparent_picture(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "disc.png").write_bytes(png(disc(60), cicp(9, 13)))
    picture = engine(tmp_path / "disc.png", format="jpeg", metadata="keep", background="#40c040", quality=95).picture()
    assert is_near(shown(picture), (1, 1), GREEN, 6)


def test_slanted_corners(engine: Engine, wide: Path) -> None:
    result = engine(wide, format="png", metadata="keep", rotate=45, background="#40c040")
    assert result.only.color == "converted from BT.2020 to sRGB"
    assert is_near(result.picture(), (1, 1), GREEN, 0)


def test_a_gray_picture(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "gray.png").write_bytes(png(Image.new("L", (20, 20), 50), gamma(1)))
    picture = padded(engine, tmp_path / "gray.png", format="png", background="#808080")
    assert is_near(shown(picture), (3, 10), (128, 128, 128), 1)


def test_a_profile_that_converts_in_one_direction_only(engine: Engine, tmp_path: Path) -> None:
    """Scanners have such profiles: a table to CIE XYZ and none back."""
    identity = b"".join(number.to_bytes(4, "big") for number in (65536, 0, 0, 0, 65536, 0, 0, 0, 65536))
    steps = bytes((0, 0, 255, 255))
    grid = b"".join((8000 * (corner >> place & 1)).to_bytes(2, "big") for corner in range(8) for place in (2, 1, 0))
    table = b"mft2\0\0\0\0" + bytes((3, 3, 2, 0)) + identity + b"\0\2\0\2" + steps * 3 + grid + steps * 3
    profile = made_profiles.assemble(b"RGB ", "scanner", {"A2B0": table})
    Image.new("RGB", (20, 20), "white").save(tmp_path / "a.png", icc_profile=profile)
    result = engine(tmp_path / "a.png", size="60x20", fit="contain", metadata="keep", background="#40c040")
    assert result.only.color == "kept in scanner, with its profile"
    assert ONE_WAY in result.only.warnings
    assert is_near(result.picture(), (3, 10), GREEN, 0)
