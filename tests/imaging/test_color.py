"""Color: every kind of sample and profile ends as the sRGB that littleCMS makes of it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from quickthumb.imaging import color
from quickthumb.model.limits import Limits
from tests.imaging.conftest import Engine
from tests.imaging.measures import delta_e, in_srgb, samples
from tests.imaging.pictures import gradient, noise, quadrants


def corpus_profile(corpus: Path, name: str) -> bytes:
    with Image.open(corpus / name) as image:
        profile: bytes = image.info["icc_profile"]
        return profile


@pytest.mark.parametrize("name", ["cmyk-icc.jpg", "icc-big.jpg"])
def test_profiles_are_applied(engine: Engine, corpus: Path, name: str) -> None:
    with Image.open(corpus / "colour" / name) as image:
        reference = in_srgb(image)
    result = engine(corpus / "colour" / name, format="png")
    assert delta_e(result.picture(), reference) < 0.5
    assert result.only.color.startswith("converted from ")
    small = engine(corpus / "colour" / name, width=150, format="png").picture()
    assert delta_e(small, reference.resize(small.size, Image.Resampling.LANCZOS)) < 1.5
    assert "icc_profile" not in small.info


def test_a_wide_gamut_is_not_taken_for_srgb(engine: Engine, corpus: Path) -> None:
    path = corpus / "orientation" / "landscape-3.jpg"
    with Image.open(path) as image:
        reference = in_srgb(image).transpose(Image.Transpose.ROTATE_180)
        naive = image.convert("RGB").transpose(Image.Transpose.ROTATE_180)
    made = engine(path, format="png").picture()
    assert delta_e(made, reference) < 0.1
    assert delta_e(naive, reference) > 1


def test_cmyk_without_a_profile_is_not_inverted(engine: Engine, corpus: Path) -> None:
    with_profile = engine(corpus / "colour" / "cmyk-icc.jpg", {"name": "a", "format": "png"}).picture("a")
    result = engine(corpus / "colour" / "cmyk-no-profile.jpg", {"name": "b", "format": "png"})
    assert delta_e(result.picture("b"), with_profile) < 0.5
    assert result.only.color.startswith("converted from CMYK without a profile")


# What "U.S. Web Coated (SWOP) v2" makes of solid inks: the colors of Adobe's swatches.
SOLID_INKS = {
    (0, 0, 0, 0): (255, 255, 255),
    (255, 0, 0, 0): (0, 174, 239),
    (0, 255, 0, 0): (236, 0, 140),
    (0, 0, 255, 0): (255, 242, 0),
    (0, 255, 255, 0): (237, 28, 36),
    (255, 255, 0, 0): (46, 49, 146),
    (255, 0, 255, 0): (0, 166, 81),
    (0, 0, 0, 255): (35, 31, 32),
}


@pytest.mark.parametrize(("inks", "wanted"), SOLID_INKS.items())
@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_solid_inks_without_a_profile(
    engine: Engine, tmp_path: Path, kind: str, inks: tuple[int, int, int, int], wanted: tuple[int, int, int]
) -> None:
    Image.new("CMYK", (16, 16), inks).save(tmp_path / "inks", kind)
    picture = engine(tmp_path / "inks", format="png").picture()
    assert np.abs(samples(picture.convert("RGB")) - wanted).max() <= 1


def test_the_reported_solid_inks(engine: Engine, corpus: Path) -> None:
    made = samples(engine(corpus / "reported" / "cmyk_solid_inks.tif", format="png").picture().convert("RGB"))
    found = {tuple(map(int, color)) for color in made.reshape(-1, 3)}
    assert {(236, 0, 140), (255, 242, 0), (35, 31, 32)} <= found


def test_cmyk_that_is_not_adobes_is_not_inverted_either(engine: Engine, tmp_path: Path) -> None:
    """Such files hold ink as it is. Pillow writes Adobe's kind, so its marker is taken out and the ink turned round."""
    inks = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    file = io.BytesIO()
    Image.eval(inks, lambda ink: 255 - ink).save(file, "JPEG", quality=95)
    data = file.getvalue()
    at = data.index(b"\xff\xee")
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    (tmp_path / "ink.jpg").write_bytes(data[:at] + data[at + 2 + length :])
    red, green, blue = samples(engine(tmp_path / "ink.jpg", format="png").picture().convert("RGB")).mean((0, 1))
    assert red > 220
    assert max(green, blue) < 60  # a printed red


def test_cielab(engine: Engine, corpus: Path) -> None:
    result = engine(corpus / "colour" / "cielab.tiff", format="png")
    red, green, blue = samples(result.picture().convert("RGB")).mean((0, 1))
    assert result.only.color == "converted from CIELAB to sRGB"
    assert green > blue + 10  # a landscape, not the magenta that signed channels read as unsigned turn into
    assert abs(red - green) < 30


def test_cielab_of_8_bits(engine: Engine, tmp_path: Path) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    picture = ImageCms.profileToProfile(gradient(), srgb, lab, outputMode="LAB")
    assert picture is not None
    picture.save(tmp_path / "lab.tiff")
    assert delta_e(engine(tmp_path / "lab.tiff", format="png").picture(), gradient()) < 1.5


def test_16_bit_grey_is_scaled_not_clipped(engine: Engine, tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None, :].repeat(4, 0)
    for suffix in ("png", "tiff"):
        Image.fromarray(ramp).save(tmp_path / f"ramp.{suffix}")
        made = samples(engine(tmp_path / f"ramp.{suffix}", format="png").picture().convert("L"))
        assert np.abs(made[0] - np.arange(256)).max() <= 1


def test_16_bit_grey_with_alpha_and_a_grey_profile(engine: Engine, corpus: Path) -> None:
    path = corpus / "colour" / "16-bit-grey-alpha.png"
    result = engine(path, format="png")
    made = samples(result.picture().convert("RGBA"))
    assert np.ptp(made[..., :3], axis=-1).max() <= 1
    with Image.open(path) as image:
        alpha = samples(image.convert("RGBA"))[..., 3]
        grey = image.convert("L")
        grey.info["icc_profile"] = image.info["icc_profile"]
        reference = samples(in_srgb(grey))
    assert np.array_equal(made[..., 3], alpha)
    seen = alpha > 0
    assert seen.any()
    assert np.abs(made[..., :3] - reference)[seen].mean() < 1
    assert result.only.color == "converted from Greyscale D50 to sRGB"


def test_the_key_color_of_16_bit_rgb(engine: Engine, corpus: Path) -> None:
    result = engine(corpus / "colour" / "16-bit-rgb-trns.png", format="png")
    picture = result.picture()
    assert result.rendering.facts.has_alpha
    assert picture.mode == "RGBA"
    keyed = samples(picture)[..., 3] == 0
    with Image.open(corpus / "colour" / "16-bit-rgb-trns.png") as image:
        white = (samples(image.convert("RGB")) == 255).all(-1)
    assert np.array_equal(keyed, white)


def test_key_colors_and_palettes_with_alpha(engine: Engine, tmp_path: Path) -> None:
    quadrants().save(tmp_path / "key.png", transparency=(255, 255, 255))
    palette = quadrants().quantize(4)
    palette.save(tmp_path / "palette.png", transparency=bytes([255, 255, 255, 255]))
    grey = Image.new("L", (8, 8), 7)
    grey.save(tmp_path / "grey.png", transparency=7)
    assert engine(tmp_path / "key.png", format="png").picture().convert("RGBA").getpixel((2, 38)) == (255, 255, 255, 0)
    assert engine(tmp_path / "palette.png", format="png").picture().convert("RGB").getpixel((2, 2)) == (255, 0, 0)
    assert engine(tmp_path / "grey.png", format="png").picture().convert("RGBA").getchannel("A").getextrema() == (0, 0)


def test_bilevel_and_palette_pictures(engine: Engine, tmp_path: Path) -> None:
    Image.new("1", (9, 9), 1).save(tmp_path / "one.bmp")
    noise(64, 64).quantize(64).save(tmp_path / "palette.bmp")
    assert engine(tmp_path / "one.bmp", format="png").picture().getpixel((4, 4)) == 255
    with Image.open(tmp_path / "palette.bmp") as image:
        expected = image.convert("RGB")
    assert delta_e(engine(tmp_path / "palette.bmp", format="png").picture(), expected) == 0


def test_grey_pictures_with_an_rgb_profile_stay_grey(engine: Engine, corpus: Path, tmp_path: Path) -> None:
    profile = corpus_profile(corpus, "orientation/landscape-3.jpg")
    gradient().convert("L").save(tmp_path / "grey.jpg", icc_profile=profile)
    result = engine(tmp_path / "grey.jpg", format="png")
    assert result.picture().mode == "L"
    assert result.only.color.startswith("converted from Generic RGB")


def test_an_srgb_profile_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    gradient().save(tmp_path / "srgb.png", icc_profile=profile)
    result = engine(tmp_path / "srgb.png")
    assert result.only.color == color.UNCHANGED
    assert delta_e(result.picture(), gradient()) == 0


@pytest.mark.parametrize("profile", [b"nonsense", b"\0" * 128, b"\0" * 3_000_000])
def test_unusable_profiles_are_ignored_with_a_warning(engine: Engine, tmp_path: Path, profile: bytes) -> None:
    gradient().save(tmp_path / "bad.jpg", icc_profile=profile, quality=95)
    result = engine(tmp_path / "bad.jpg", metadata="keep", format="png")
    assert any("profile" in warning for warning in result.only.warnings)
    assert "icc_profile" not in result.picture().info


def test_a_profile_about_other_channels_is_ignored(corpus: Path) -> None:
    read = color.read({"icc_profile": corpus_profile(corpus, "colour/cmyk-icc.jpg")}, None, "RGB", Limits(1))
    assert read.is_srgb
    assert read.warnings


def test_keep_keeps_colors_and_profile(engine: Engine, corpus: Path) -> None:
    path = corpus / "orientation" / "landscape-1.jpg"
    path = corpus / "orientation" / "landscape-3.jpg"
    profile = corpus_profile(corpus, "orientation/landscape-3.jpg")
    with Image.open(path) as image:
        untouched = image.convert("RGB").transpose(Image.Transpose.ROTATE_180)
    for name in ("png", "jpeg", "webp", "avif"):
        result = engine(path, metadata="keep", format=name)
        assert result.picture().info["icc_profile"] == profile
        assert delta_e(result.picture(), untouched) < 4
        assert result.only.color.startswith("kept in Generic RGB Profile")
    assert engine(path, metadata="keep", format="gif").only.color.startswith("converted")


def test_cmyk_is_converted_even_where_all_is_kept(engine: Engine, corpus: Path) -> None:
    result = engine(corpus / "colour" / "cmyk-icc.jpg", metadata="keep")
    assert result.picture().mode == "RGB"
    assert "icc_profile" not in result.picture().info
    assert result.only.color.startswith("converted from U.S. Web Coated")
