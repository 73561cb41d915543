"""JPEG XL: read with the extra `jxl`; what its header tells is known without it."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from PIL import Image

from quickthumb.imaging.engine import render
from quickthumb.imaging.formats import named
from quickthumb.imaging.header import Header, read_header, read_header_of_file
from quickthumb.model.errors import BrokenImage, QuickThumbError, TooManyPixels, UnsupportedImage
from quickthumb.model.output import Output
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.iso_files import box
from tests.imaging.measures import delta_e, ssim
from tests.imaging.pictures import disc, noise, quadrants

pylibjxl = pytest.importorskip("pylibjxl", reason="needs the extra `jxl`")

SIZE = (64, 48)
SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl ", bytes(4), b"jxl ")
# Where the header of `PLAIN` ends, in bits, and where one that says more has another bit.
METADATA, TONE, END = 9, 18, 19
OPERATIONS = (
    None,
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


def jxl(picture: Image.Image, *, lossless: bool = True, **more: bytes) -> bytes:
    data: bytes = pylibjxl.encode(np.ascontiguousarray(np.asarray(picture)), lossless=lossless, **more)
    return data


PLAIN = jxl(quadrants(*SIZE))


def saying(extra: str) -> bytes:
    """The plain picture with more bits in its header."""
    bits = "".join(f"{byte:08b}"[::-1] for byte in PLAIN[2:])
    head = bits[: METADATA + 1] + "1" + extra + bits[METADATA + 2 : TONE] + "1" + bits[TONE:END]
    head = head.ljust(-(-len(head) // 8) * 8, "0") + bits[-(-END // 8) * 8 :]
    return PLAIN[:2] + bytes(int(head[at : at + 8][::-1], 2) for at in range(0, len(head), 8))


def boxed(data: bytes, *cuts: int) -> bytes:
    """The codestream in boxes, cut in parts."""
    if not cuts:
        return SIGNATURE + box(b"jxlc", data)
    parts = [data[start:end] for start, end in zip((0, *cuts), (*cuts, None), strict=True)]
    numbers = [number | (1 << 31 if number == len(cuts) else 0) for number in range(len(parts))]
    boxes = (box(b"jxlp", struct.pack(">I", number), part) for number, part in zip(numbers, parts, strict=True))
    return SIGNATURE + b"".join(boxes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "picture.jxl"


@pytest.mark.parametrize("size", [(64, 48), (256, 256), (37, 21), (1, 1), (1000, 700), (160, 90), (1, 3000)])
@pytest.mark.parametrize("lossless", [True, False])
def test_the_header_has_the_size(size: tuple[int, int], lossless: bool, path: Path) -> None:
    for data in (jxl(quadrants(*size), lossless=lossless), boxed(jxl(quadrants(*size), lossless=lossless), 5, 9)):
        assert read_header(data, complete=True) == Header("jxl", *size)
        path.write_bytes(data)
        assert read_header_of_file(path) == Header("jxl", *size)
        told = [read_header(data[:length], complete=False) for length in range(len(data))]
        assert set(told) <= {None, Header("jxl", *size)}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_stands_upright(engine: Engine, path: Path, orientation: int) -> None:
    path.write_bytes(saying(f"{orientation - 1:03b}"[::-1] + "000"))
    operation = OPERATIONS[orientation - 1]
    expected = quadrants(*SIZE) if operation is None else quadrants(*SIZE).transpose(operation)
    result = engine(path, format="png")
    facts = result.rendering.facts
    assert read_header_of_file(path).orientation == orientation
    assert read_header_of_file(path).upright == (facts.width, facts.height) == expected.size
    assert delta_e(result.picture(), expected) < 0.1


@pytest.mark.parametrize(
    "picture", [quadrants(*SIZE), disc(60), quadrants(*SIZE).convert("L")], ids=["RGB", "RGBA", "L"]
)
@pytest.mark.parametrize("cuts", [None, (), (3, 20)], ids=["bare", "boxed", "in parts"])
def test_every_mode_is_read(engine: Engine, path: Path, picture: Image.Image, cuts: tuple[int, ...] | None) -> None:
    data = jxl(picture)
    path.write_bytes(data if cuts is None else boxed(data, *cuts))
    result = engine(path, format="png")
    made, expected = (Image.new("RGBA", picture.size, "black") for _ in range(2))
    made.alpha_composite(result.picture().convert("RGBA"))
    expected.alpha_composite(picture.convert("RGBA"))
    assert delta_e(made.convert("RGB"), expected.convert("RGB")) < 0.1
    assert result.rendering.facts.has_alpha is (picture.mode == "RGBA")
    assert engine(path, width=20).only.format == ("webp" if picture.mode == "RGBA" else "jpeg")


def test_metadata_are_read_and_do_not_turn_the_picture(engine: Engine, path: Path) -> None:
    from PIL import ImageCms

    exif = Image.Exif()
    exif[274], exif[0x8298] = 6, "Someone"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path.write_bytes(jxl(noise(96, 64), lossless=False, exif=exif.tobytes(), icc=profile))
    result = engine(path, format="jpeg", metadata="keep")
    with Image.open(result.path()) as made:
        assert made.size == (96, 64)
        assert made.getexif()[0x8298] == "Someone"
        assert made.getexif().get(274, 1) == 1
        assert made.info["icc_profile"] == profile
    assert ssim(result.picture(), noise(96, 64)) > 0.8


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (saying("000" + "001"), UnsupportedImage, "a JPEG XL animation"),
        (PLAIN[:2], BrokenImage, "ends too early"),
        (SIGNATURE, BrokenImage, "no signature"),
        (boxed(b"\xff\x0b" + PLAIN[2:]), BrokenImage, "no signature"),
        (SIGNATURE + box(b"jxlp", b"\0"), BrokenImage, "no signature"),
    ],
)
def test_what_the_header_refuses(data: bytes, error: type[QuickThumbError], words: str) -> None:
    with pytest.raises(error, match=words):
        read_header(data, complete=True)


def bits_of(*numbers: tuple[int, int]) -> bytes:
    """Numbers of so many bits, least significant first."""
    value = at = 0
    for number, count in numbers:
        value |= number << at
        at += count
    return b"\xff\x0a" + value.to_bytes(64, "little")


def test_too_many_pixels_or_channels_are_refused_before_they_are_decoded(tmp_path: Path, path: Path) -> None:
    side = ((3, 2), (2**30 - 1, 30))
    path.write_bytes(bits_of((0, 1), *side, (0, 3), *side, (1, 1)))
    assert read_header_of_file(path) == Header("jxl", 2**30, 2**30)
    with pytest.raises(TooManyPixels):
        render(path, [Output(width=9)], tmp_path, LIMITS)
    channels = bits_of((1, 1), (0, 5), (1, 3), (0, 1), (0, 1), (0, 1), (0, 2), (1, 1), (3, 2), (4095, 12))
    with pytest.raises(UnsupportedImage, match="has 4096 extra channels; at most 4 are supported"):
        read_header(channels, complete=True)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize(
    "whole", [PLAIN, boxed(PLAIN, 9), jxl(noise(96, 64), lossless=False)], ids=["bare", "parts", "lossy"]
)
def test_truncated_files_are_never_taken_for_whole(tmp_path: Path, path: Path, whole: bytes, share: float) -> None:
    path.write_bytes(whole[: max(2, int(len(whole) * share))])
    with pytest.raises((BrokenImage, UnsupportedImage)):
        render(path, [Output(width=20)], tmp_path, LIMITS)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    some.sampled_from([PLAIN, boxed(PLAIN, 9), jxl(noise(96, 64), lossless=False), jxl(disc(40))]),
    some.lists(some.tuples(some.floats(0, 1, exclude_max=True), some.integers(0, 255)), min_size=1, max_size=4),
)
def test_damaged_headers_have_a_typed_outcome(whole: bytes, changes: list[tuple[float, int]]) -> None:
    """The headers alone: the decoder is for the sandbox."""
    data = bytearray(whole)
    for place, value in changes:
        data[int(place * len(data))] = value
    for complete in (True, False):
        try:
            read_header(bytes(data), complete=complete)
        except QuickThumbError:
            continue


def test_it_is_decoded_in_the_sandbox_alone() -> None:
    assert named("jxl").decoder.confined
    assert not named("jpeg").decoder.confined
