"""Colors that a file describes without a profile: by code points, by gamma, by primaries; and HDR among them."""

import io
import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from quickthumb.imaging import color
from quickthumb.imaging.color import made_profiles
from quickthumb.imaging.formats.code_points import UNUSABLE, CodePoints
from quickthumb.imaging.formats.color_boxes import read_code_points as read_boxes
from quickthumb.imaging.formats.png_color import read_code_points as read_chunk
from quickthumb.imaging.formats.window import Seeking
from quickthumb.imaging.memory import estimate_file_bytes
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.limits import Limits
from quickthumb.model.output import parse_output
from tests.imaging.color_files import avif, chromaticities, chunk, cicp, gamma, png
from tests.imaging.conftest import Engine
from tests.imaging.iso_files import COLOR, SIZE, box, grid, hevc, iso_file
from tests.imaging.measures import Samples, in_srgb, samples
from tests.imaging.pictures import gradient, quadrants

Numbers = tuple[float, ...]
HDR_WARNING = "The picture is HDR (BT.2100 PQ) and was tone-mapped to the range of sRGB."
UNSUPPORTED = "The code points (CICP) of the file's color space are not supported and were ignored."
NONSENSE = "The gamma value and the primaries of the file are not usable and were ignored."
# Red, green and blue with the white of daylight (D65), from ITU-R BT.709, BT.2020, SMPTE EG 432 and so on.
PRIMARIES: dict[int, Numbers] = {
    1: (0.64, 0.33, 0.30, 0.60, 0.15, 0.06),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    22: (0.63, 0.34, 0.295, 0.605, 0.155, 0.077),
}
CHROMATICITIES_P3 = (0.3127, 0.329, *PRIMARIES[12])


def srgb_light(sample: Samples) -> Samples:
    return np.where(sample <= 0.04045, sample / 12.92, ((sample + 0.055) / 1.055) ** 2.4)


CURVES: dict[int, Callable[[Samples], Samples]] = {
    4: lambda sample: sample**2.2,
    5: lambda sample: sample**2.8,
    7: lambda sample: np.where(sample < 0.0913, sample / 4, ((sample + 0.1115) / 1.1115) ** (1 / 0.45)),
    8: lambda sample: sample,
    13: srgb_light,
}


def to_xyz(numbers: Numbers) -> Samples:
    columns = np.array([(x, y, 1 - x - y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]).T
    white = np.array([0.3127, 0.3290, 1 - 0.3127 - 0.3290]) / 0.3290
    result: Samples = columns * np.linalg.solve(columns, white)
    return result


def expected(picture: Image.Image, primaries: int, curve: Callable[[Samples], Samples]) -> Samples:
    """The picture in sRGB, by the textbook: nothing of the code under test is in it."""
    to_srgb = np.linalg.inv(to_xyz(PRIMARIES[1])) @ to_xyz(PRIMARIES[primaries])
    light = np.clip(curve(samples(picture.convert("RGB")) / 255) @ to_srgb.T, 0, 1)
    return np.round(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055))


def furthest(picture: Image.Image, wanted: Samples) -> float:
    return float(np.abs(samples(picture.convert("RGB")) - wanted).max())


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def run(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return run


Keep = Callable[[str, bytes], Path]


@pytest.mark.parametrize("name", ["cicp_p3.avif", "cicp_p3.png"])
def test_display_p3_by_code_points(engine: Engine, corpus: Path, name: str) -> None:
    result = engine(corpus / "reported" / name, format="png")
    picture = result.picture().convert("RGB")
    for place, wanted in (((8, 8), (255, 0, 0)), ((56, 8), (0, 255, 0))):
        assert np.abs(samples(picture)[place[::-1]] - wanted).max() <= 3
    assert result.only.color == "converted from Display P3 to sRGB"
    assert result.only.warnings == ()


@pytest.mark.parametrize(
    ("primaries", "transfer", "name"),
    [
        (12, 13, "Display P3"),
        (12, 2, "Display P3"),
        (9, 13, "BT.2020"),
        (9, 14, "BT.2020"),
        (6, 6, "BT.601 with 525 lines"),
        (5, 6, "BT.601 with 625 lines"),
        (22, 13, "EBU Tech. 3213"),
        (1, 4, "BT.709 with gamma 2.2"),
        (1, 5, "BT.709 with gamma 2.8"),
        (1, 7, "BT.709 with the curve of SMPTE ST 240"),
        (1, 8, "BT.709 with linear light"),
        (2, 8, "BT.709 with linear light"),
        (9, 8, "BT.2020 with linear light"),
    ],
)
def test_code_points(engine: Engine, keep: Keep, primaries: int, transfer: int, name: str) -> None:
    curve = CURVES.get(transfer, srgb_light)
    wanted = expected(gradient(), 1 if primaries == 2 else primaries, curve)
    made = engine(keep("a.png", png(gradient(), cicp(primaries, transfer))), format="png")
    assert made.only.color == f"converted from {name} to sRGB"
    assert furthest(made.picture(), wanted) <= 3
    made = engine(keep("a.avif", avif(gradient(), primaries, transfer)), format="png")
    assert made.only.color == f"converted from {name} to sRGB"
    assert np.abs(samples(made.picture().convert("RGB")) - wanted).mean() < 2


@pytest.mark.parametrize(
    ("primaries", "transfer"), [(1, 13), (1, 1), (1, 6), (1, 14), (1, 15), (2, 2), (1, 2), (2, 13), (2, 1)]
)
def test_code_points_that_browsers_show_as_srgb_change_nothing(
    engine: Engine, keep: Keep, primaries: int, transfer: int
) -> None:
    plain = engine(keep("a.avif", avif(gradient(), 1, 13)), {"name": "a", "format": "png"}).picture("a")
    made = engine(keep("b.avif", avif(gradient(), primaries, transfer)), format="png")
    assert (made.only.color, made.only.warnings) == (color.UNCHANGED, ())
    assert furthest(made.picture(), samples(plain.convert("RGB"))) == 0
    made = engine(keep("b.png", png(gradient(), cicp(primaries, transfer))), format="png")
    assert (made.only.color, made.only.warnings) == (color.UNCHANGED, ())
    assert furthest(made.picture(), samples(gradient())) == 0


@pytest.mark.parametrize("primaries", [4, 8, 10, 11])
def test_other_whites_become_white(engine: Engine, keep: Keep, primaries: int) -> None:
    made = engine(keep("a.png", png(Image.new("RGB", (8, 8), "white"), cicp(primaries, 13))), format="png")
    assert made.only.color.startswith("converted from ")
    assert samples(made.picture().convert("RGB")).min() >= 254


@pytest.mark.parametrize(
    "data",
    [
        cicp(0, 13),
        cicp(3, 13),
        cicp(12, 3),
        cicp(255, 255),
        cicp(12, 13, matrix=1),
        cicp(12, 13, full_range=0),
        chunk(b"cICP", b"\x0c\x0d"),
    ],
)
def test_code_points_that_nobody_knows_are_ignored_with_a_warning(engine: Engine, keep: Keep, data: bytes) -> None:
    result = engine(keep("a.png", png(gradient(), data)), format="png", metadata="keep")
    assert result.only.color == "taken for sRGB"
    assert UNSUPPORTED in result.only.warnings
    assert furthest(result.picture(), samples(gradient())) == 0


@pytest.mark.parametrize(("primaries", "transfer"), [(0, 0), (3, 13), (12, 3), (12, 9), (300, 13), (65535, 65535)])
def test_an_avif_with_such_code_points_is_made(engine: Engine, keep: Keep, primaries: int, transfer: int) -> None:
    result = engine(keep("a.avif", avif(gradient(), primaries, transfer)), format="png")
    assert (result.only.color, result.only.warnings) == ("taken for sRGB", (UNSUPPORTED,))
    assert np.abs(samples(result.picture().convert("RGB")) - samples(gradient())).mean() < 2


def test_a_damaged_chunk_is_not_believed() -> None:
    sound = png(gradient(), cicp(12, 13))
    assert read_chunk(Seeking(io.BytesIO(sound))) == CodePoints(12, 13, outranks_profile=True)
    damaged = png(gradient(), cicp(12, 13)[:-4] + bytes(4))
    assert read_chunk(Seeking(io.BytesIO(damaged))) == UNUSABLE


def test_transparent_gray_and_animated_pictures_are_converted_too(engine: Engine, keep: Keep) -> None:
    clear = quadrants().convert("RGBA")
    clear.putalpha(77)
    for name, data in (("a.png", png(clear, cicp(12, 13))), ("a.avif", avif(clear, 12, 13))):
        picture = engine(keep(name, data), format="png").picture()
        assert picture.mode == "RGBA"
        assert picture.getpixel((2, 2)) == (255, 0, 0, 77)
    gray = engine(keep("a.png", png(gradient().convert("L"), cicp(1, 8))), format="png")
    assert gray.picture().mode == "L"
    assert furthest(gray.picture(), expected(gradient().convert("L"), 1, CURVES[8])) <= 2
    frames = [Image.new("RGB", (32, 32), (255, 255, shade)) for shade in (0, 128)]
    data = avif(frames[0], 12, 13, save_all=True, append_images=frames[1:], duration=100)
    result = engine(keep("a.avif", data), format="webp", lossless="yes")
    assert (result.only.frames, result.only.color) == (2, "converted from Display P3 to sRGB")


def nclx(primaries: int, transfer: int) -> bytes:
    return box(b"colr", b"nclx", struct.pack(">HHHB", primaries, transfer, 1, 0x80))


def test_heic_by_code_points(engine: Engine, keep: Keep) -> None:
    pytest.importorskip("pi_heif")
    tiles = [hevc(COLOR, SIZE, nclx(12, 13)) for _ in range(2)]
    in_tiles = iso_file([grid(2, 1, (2 * SIZE[0], SIZE[1])), *tiles])
    for data in (iso_file([hevc(COLOR, SIZE, nclx(12, 13))]), in_tiles):
        result = engine(keep("a.heic", data), format="png")
        assert result.only.color == "converted from Display P3 to sRGB"
        assert np.abs(samples(result.picture().convert("RGB"))[4, 4] - (255, 0, 0)).max() <= 6
    result = engine(keep("a.heic", iso_file([hevc(COLOR, SIZE, nclx(9, 16))])), format="png")
    assert result.only.warnings == (HDR_WARNING,)
    srgb = box(b"colr", b"prof", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    result = engine(keep("a.heic", iso_file([hevc(COLOR, SIZE, nclx(12, 13), srgb)])), format="png")
    assert result.only.color == color.UNCHANGED


def test_code_points_of_a_file_that_has_only_tracks() -> None:
    frames = [Image.new("RGB", (32, 32), (255, 255, shade)) for shade in (0, 128)]
    data = avif(frames[0], 12, 13, save_all=True, append_images=frames[1:], duration=100)
    tracks_only = data.replace(b"meta", b"free", 1)
    for each in (data, tracks_only):
        assert read_boxes(Seeking(io.BytesIO(each))) == CodePoints(12, 13)


def test_code_points_in_av1_data_count_if_there_is_no_box(corpus: Path) -> None:
    for name, wanted in (("cicp_p3", CodePoints(12, 13)), ("cicp_pq_rec2020", CodePoints(9, 16))):
        data = (corpus / "reported" / f"{name}.avif").read_bytes().replace(b"colrnclx", b"freenclx")
        assert read_boxes(Seeking(io.BytesIO(data))) == wanted
    animated = avif(gradient(), 12, 13, save_all=True, append_images=[gradient().rotate(180)], duration=100)
    assert read_boxes(Seeking(io.BytesIO(animated.replace(b"colrnclx", b"freenclx")))) == CodePoints(1, 13)


def test_what_counts_if_a_file_says_several_things(engine: Engine, keep: Keep) -> None:
    """PNG 3rd edition, 4.3: cICP, then iCCP, then sRGB, then gAMA and cHRM. In an AVIF, the profile comes first."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    p3, linear, is_srgb = cicp(12, 13), gamma(1), chunk(b"sRGB", b"\0")
    for chunks, options, wanted in (
        ((p3,), {"icc_profile": srgb}, "converted from Display P3 to sRGB"),
        ((p3, is_srgb, linear), {}, "converted from Display P3 to sRGB"),
        ((cicp(1, 13), linear), {}, color.UNCHANGED),
        ((linear,), {"icc_profile": srgb}, color.UNCHANGED),
        ((is_srgb, linear, chromaticities(*CHROMATICITIES_P3)), {}, color.UNCHANGED),
        ((linear,), {"icc_profile": b"nonsense"}, "converted from RGB with gamma 1 to sRGB"),
        ((is_srgb, linear), {"icc_profile": b"nonsense"}, color.UNCHANGED),
    ):
        assert engine(keep("a.png", png(gradient(), *chunks, **options)), format="png").only.color == wanted
    data = avif(gradient(), 12, 13, icc_profile=srgb)
    assert engine(keep("a.avif", data), format="png").only.color == color.UNCHANGED
    data = avif(gradient(), 12, 13, icc_profile=b"nonsense")
    assert engine(keep("a.avif", data), format="png").only.color == "converted from Display P3 to sRGB"


@pytest.mark.parametrize("value", [1.0, 0.55556, 0.35])
def test_gamma(engine: Engine, keep: Keep, value: float) -> None:
    result = engine(keep("a.png", png(gradient(), gamma(value))), format="png")
    assert result.only.color == f"converted from RGB with gamma {1 / value:.3g} to sRGB"
    assert result.only.warnings == ()
    assert furthest(result.picture(), expected(gradient(), 1, lambda sample: sample ** (1 / value))) <= 3


def test_primaries_of_a_png(engine: Engine, keep: Keep) -> None:
    described = chromaticities(*CHROMATICITIES_P3)
    result = engine(keep("a.png", png(gradient(), described)), format="png")
    assert result.only.color == "converted from RGB with primaries of its own to sRGB"
    assert furthest(result.picture(), expected(gradient(), 12, srgb_light)) <= 3
    result = engine(keep("a.png", png(gradient(), gamma(0.45455), described)), format="png")
    assert result.only.color == "converted from RGB with primaries of its own and gamma 2.2 to sRGB"
    assert furthest(result.picture(), expected(gradient(), 12, CURVES[4])) <= 3


def test_a_png_that_says_srgb_in_other_words_is_unchanged(engine: Engine, keep: Keep) -> None:
    """As libpng and ImageMagick write it."""
    described = chromaticities(0.3127, 0.329, *PRIMARIES[1])
    for chunks in ((gamma(0.45455),), (described,), (gamma(0.45455), described), (gamma(0.45),)):
        result = engine(keep("a.png", png(gradient(), *chunks)), format="png")
        assert (result.only.color, result.only.warnings) == (color.UNCHANGED, ())
        assert furthest(result.picture(), samples(gradient())) == 0


@pytest.mark.parametrize(
    "data",
    [
        gamma(0),
        gamma(0.00001),
        gamma(42949),
        chromaticities(0, 0, 0, 0, 0, 0, 0, 0),
        chromaticities(0.3127, 0, *PRIMARIES[1]),
        chromaticities(0.3127, 0.329, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3),
        chromaticities(0.9, 0.05, *PRIMARIES[1]),
        chromaticities(0.3127, 0.329, 42949, 0.33, 0.30, 0.60, 0.15, 0.06),
    ],
)
def test_nonsense_in_a_png_is_ignored_with_a_warning(engine: Engine, keep: Keep, data: bytes) -> None:
    result = engine(keep("a.png", png(gradient(), data)), format="png")
    assert (result.only.color, result.only.warnings) == ("taken for sRGB", (NONSENSE,))
    assert furthest(result.picture(), samples(gradient())) == 0


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "avif"])
def test_keep_embeds_a_profile_of_the_described_colors(engine: Engine, keep: Keep, name: str) -> None:
    result = engine(keep("a.png", png(gradient(), cicp(12, 13))), format=name, metadata="keep")
    picture = result.picture()
    assert result.only.color == "kept in Display P3, with a profile"
    assert np.abs(samples(picture.convert("RGB")) - samples(gradient())).mean() < 4
    described = picture.convert("RGB")
    described.info["icc_profile"] = picture.info["icc_profile"]
    assert np.abs(samples(in_srgb(described)) - expected(gradient(), 12, srgb_light)).mean() < 4


def test_the_header_of_a_made_profile_is_sound() -> None:
    """ICC.1:2022, 7.2: its size, and the illuminant D50 of the space that it connects to."""
    profile = color.read({}, CodePoints(12, 13), "RGB", Limits()).profile
    assert profile is not None
    assert int.from_bytes(profile[:4], "big") == len(profile)
    assert (profile[12:24], profile[36:40]) == (b"mntrRGB XYZ ", b"acsp")
    assert profile[68:80].hex() == "0000f6d6000100000000d32d"
    red = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.red_colorant
    assert red is not None
    assert np.allclose(red[0], (0.5151, 0.2412, -0.0011), atol=0.0005)  # as in Apple's profile


def test_keep_embeds_a_gray_profile_in_a_gray_picture(engine: Engine, keep: Keep) -> None:
    picture = engine(keep("a.png", png(gradient().convert("L"), gamma(1))), format="png", metadata="keep").picture()
    assert picture.mode == "L"
    profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
    assert profile.profile.xcolor_space == "GRAY"
    assert furthest(in_srgb(picture), expected(gradient().convert("L"), 1, CURVES[8])) <= 2


def test_the_facts_are_those_of_the_converted_picture(engine: Engine, keep: Keep) -> None:
    picture = Image.new("RGB", (40, 40), (117, 251, 76))
    facts = engine(keep("a.png", png(picture, cicp(12, 13))), format="png").rendering.facts
    assert facts.dominant_color == "#00ff00"
    with_hash = engine(Image.new("RGB", (40, 40), (117, 251, 76)), format="png").rendering.facts
    assert facts.thumbhash != with_hash.thumbhash


def test_hdr_is_tone_mapped_with_a_warning(engine: Engine, corpus: Path) -> None:
    result = engine(corpus / "reported" / "cicp_pq_rec2020.avif", format="png", metadata="keep")
    assert result.only.color == "converted from BT.2100 PQ to sRGB, tone-mapped"
    assert HDR_WARNING in result.only.warnings
    assert "icc_profile" not in result.picture().info
    white = samples(result.picture().convert("RGB"))[180, 100]
    assert white.min() > 245
    assert np.ptp(white) < 8


def test_tone_mapping_keeps_grays_and_the_order_of_lights(engine: Engine, keep: Keep) -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :, None].repeat(4, 0).repeat(3, 2))
    # The samples of 203 cd/m², diffuse white, in PQ (58 %) and in HLG (75 %), and of 10 cd/m² in PQ.
    for transfer, white, name in ((16, 148, "PQ"), (18, 191, "HLG")):
        result = engine(keep("a.png", png(ramp, cicp(9, transfer))), format="png")
        assert result.only.color == f"converted from BT.2100 {name} to sRGB, tone-mapped"
        made = samples(result.picture().convert("RGB"))[0]
        assert np.ptp(made, axis=1).max() <= 1
        assert (np.diff(made[:, 0]) >= 0).all()
        assert (made[0, 0], made[255, 0]) == (0, 255)
        assert 220 <= made[white, 0] <= 235
        if name == "PQ":
            assert abs(made[77, 0] - 255 * (1.055 * (10 / 203) ** (1 / 2.4) - 0.055)) < 2


def test_hdr_in_p3_and_in_gray(engine: Engine, keep: Keep) -> None:
    result = engine(keep("a.png", png(quadrants(), cicp(12, 16))), format="jpeg")
    assert result.only.color == "converted from Display P3 PQ to sRGB, tone-mapped"
    gray = engine(keep("a.png", png(Image.new("L", (9, 9), 148), cicp(9, 16))), format="png").picture()
    assert gray.mode == "L"
    assert gray.getpixel((4, 4)) == 228


def test_hdr_that_a_profile_names_is_tone_mapped_too(engine: Engine, tmp_path: Path) -> None:
    """Profiles of PQ hold the code points in a tag of their own."""
    points = b"cicp\0\0\0\0\x09\x10\0\1"
    profile = made_profiles.assemble(b"RGB ", "Rec. ITU-R BT.2100 PQ", {"cicp": points})
    gray = Image.new("RGB", (9, 9), (148, 148, 148))
    for name in ("a.png", "a.avif", "a.jpg"):
        gray.save(tmp_path / name, icc_profile=profile, quality=100)
        result = engine(tmp_path / name, format="png", metadata="keep")
        assert result.only.color == "converted from BT.2100 PQ to sRGB, tone-mapped"
        assert HDR_WARNING in result.only.warnings
    gray.convert("CMYK").save(tmp_path / "a.jpg", icc_profile=profile)
    assert engine(tmp_path / "a.jpg", format="png").only.color.startswith("converted from CMYK without a profile")


def test_the_estimate_counts_the_conversion(keep: Keep) -> None:
    output = [parse_output({"format": "png", "grayscale": "yes"})]
    picture = gradient(800, 600)
    files = {"plain": png(picture), "srgb": png(picture, gamma(0.45455)), "wide": png(picture, cicp(12, 13))}
    plain, srgb, wide = (estimate_file_bytes(keep(name, data), output, Limits()) for name, data in files.items())
    assert plain <= srgb < plain + 1000
    assert wide >= plain + 800 * 600


def test_no_description_ever_fails(engine: Engine, keep: Keep) -> None:
    """Random contents of all chunks, and random bytes in the boxes of an AVIF."""
    dice = random.Random(11)
    limits = Limits()
    for _ in range(300):
        points = CodePoints(dice.randrange(300), dice.randrange(300), outranks_profile=dice.random() < 0.5)
        info = {
            "gamma": dice.choice((None, 0.0, dice.random(), dice.expovariate(0.1), 42949.0)),
            "chromaticity": dice.choice((None, tuple(dice.choice((0.0, 1.0, dice.random(), 9e4)) for _ in range(8)))),
        }
        mode = dice.choice(("L", "RGB", "RGBA", "CMYK"))
        found = color.read(info, dice.choice((None, points)), mode, limits)
        found.to_srgb(Image.new(mode, (2, 2)))
    data = bytearray(avif(gradient(), 12, 13))
    end = data.index(b"mdat")
    for _ in range(60):
        mutant = bytearray(data)
        for _ in range(dice.randrange(1, 4)):
            mutant[dice.randrange(end)] = dice.randrange(256)
        try:
            engine(keep("mutant.avif", bytes(mutant)), width=16, format="png")
        except QuickThumbError:
            continue
