"""BMPs of every kind: what is made shows what was written, and what cannot be made is refused in words."""

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageCms

from quickthumb.model.errors import BrokenImage, UnsupportedImage
from tests.imaging.conftest import Engine

WIDTH, HEIGHT = 13, 7
PLAIN, RLE8, RLE4, MASKS, MASKS_WITH_ALPHA = 0, 1, 2, 3, 6
Masks = tuple[int, int, int, int]


def bmp(
    rows: list[bytes],
    bits: int,
    *,
    compression: int = PLAIN,
    header: int = 40,
    masks: Masks = (0, 0, 0, 0),
    palette: bytes = b"",
    colors: int = 0,
    top_down: bool = False,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> bytes:
    """A BMP of rows from top to bottom."""
    padded = [row + bytes(-len(row) % 4) for row in (rows if top_down else rows[::-1])]
    height = -size[1] if top_down else size[1]
    fields = struct.pack("<IiiHHIIiiII", header, size[0], height, 1, bits, compression, 0, 0, 0, colors, 0)
    count = 4 if header >= 56 or compression == MASKS_WITH_ALPHA else 3 if compression == MASKS else 0
    fields = (fields + struct.pack(f"<{count}I", *masks[:count])).ljust(header, b"\0") + palette
    start = 14 + len(fields)
    return b"BM" + struct.pack("<IHHI", 77, 0, 0, start) + fields + b"".join(padded)


def made(engine: Engine, tmp_path: Path, data: bytes, mode: str = "RGB") -> NDArray[np.int_]:
    (tmp_path / "any.bmp").write_bytes(data)
    return np.asarray(engine(tmp_path / "any.bmp", format="png").picture().convert(mode)).astype(int)


def colors(count: int) -> NDArray[np.int_]:
    across = np.linspace(0, 255, WIDTH)[None, :].repeat(HEIGHT, 0)
    down = np.linspace(0, 255, HEIGHT)[:, None].repeat(WIDTH, 1)
    return np.stack([across, down, 255 - across, 127 + down / 2][:count], -1).round().astype(int)


def masked(samples: NDArray[np.int_], masks: Masks, bits: int) -> list[bytes]:
    pixels = np.zeros(samples.shape[:2], np.int64)
    for place, mask in enumerate(masks[: samples.shape[-1]]):
        shift = (mask & -mask).bit_length() - 1
        pixels |= np.round(samples[..., place] / 255 * (mask >> shift)).astype(np.int64) << shift
    return [row.tobytes() for row in pixels.astype(f"<u{bits // 8}")]


LAYOUTS: dict[str, tuple[int, Masks]] = {
    "565": (16, (0xF800, 0x7E0, 0x1F, 0)),
    "555": (16, (0x7C00, 0x3E0, 0x1F, 0)),
    "1555": (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
    "444": (16, (0xF00, 0xF0, 0xF, 0)),
    "4444": (16, (0xF00, 0xF0, 0xF, 0xF000)),
    "655": (16, (0xFC00, 0x3E0, 0x1F, 0)),
    "888": (32, (0xFF0000, 0xFF00, 0xFF, 0)),
    "8888": (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    "red on top, green in the middle": (32, (0xFF000000, 0xFF0, 0xFF0000, 0)),
    "888 the other way round": (32, (0xFF, 0xFF00, 0xFF0000, 0)),
    "11 11 10": (32, (0xFFE00000, 0x1FFC00, 0x3FF, 0)),
    "10 10 10 2": (32, (0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000)),
    "8888 the other way round": (32, (0xFF000000, 0xFF0000, 0xFF00, 0xFF)),
}


@pytest.mark.parametrize("top_down", [False, True])
@pytest.mark.parametrize("header", [40, 52, 56, 108, 124])
@pytest.mark.parametrize("name", LAYOUTS)
def test_color_masks(engine: Engine, tmp_path: Path, name: str, header: int, top_down: bool) -> None:
    bits, masks = LAYOUTS[name]
    has_alpha = masks[3] != 0 and header >= 56
    samples = colors(4 if has_alpha else 3)
    data = bmp(masked(samples, masks, bits), bits, compression=MASKS, header=header, masks=masks, top_down=top_down)
    got = made(engine, tmp_path, data, "RGBA" if has_alpha else "RGB")
    for place in range(samples.shape[-1]):
        step = 255 / (masks[place] >> ((masks[place] & -masks[place]).bit_length() - 1))
        visible = np.ones((HEIGHT, WIDTH), bool) if not has_alpha or place == 3 else got[..., 3] > 0
        assert np.abs(got[..., place] - samples[..., place])[visible].max() <= max(1, step / 2 + 1)


def test_masks_of_which_one_is_alpha_behind_a_small_header(engine: Engine, tmp_path: Path) -> None:
    masks = (0xF00, 0xF0, 0xF, 0xF000)
    samples = colors(4) // 17 * 17
    data = bmp(masked(samples, masks, 16), 16, compression=MASKS_WITH_ALPHA, masks=masks)
    assert np.array_equal(made(engine, tmp_path, data, "RGBA"), samples)


@pytest.mark.parametrize("masks", [LAYOUTS["8888"][1], (0xFF000000, 0xFF0000, 0xFF, 0xFF00)])
def test_alpha_that_was_never_set_is_ignored(engine: Engine, tmp_path: Path, masks: Masks) -> None:
    data = bmp(masked(colors(3), masks, 32), 32, compression=MASKS, header=108, masks=masks)
    got = made(engine, tmp_path, data, "RGBA")
    assert got[..., 3].min() == 255
    assert np.array_equal(got[..., :3], colors(3))


@pytest.mark.parametrize("header", [56, 108, 124])
def test_alpha_of_pixels_without_masks(engine: Engine, tmp_path: Path, header: int) -> None:
    """It counts if the header tells of it, as in browsers."""
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    rows = masked(colors(4), masks, 32)
    assert np.array_equal(made(engine, tmp_path, bmp(rows, 32, header=header, masks=masks), "RGBA"), colors(4))
    for data in (bmp(rows, 32, header=header), bmp(rows, 32)):
        got = made(engine, tmp_path, data, "RGBA")
        assert got[..., 3].min() == 255
        assert np.array_equal(got[..., :3], colors(3))


def with_profile(data: bytes, profile: bytes, kind: bytes = b"DEBM") -> bytes:
    """A BMP with the longest header, and a profile behind its pixels."""
    place = struct.pack("<II", len(data) - 14, len(profile))
    return data[:70] + kind + data[74:126] + place + data[134:] + profile


def swapping() -> bytes:
    """A profile whose red is the green of sRGB."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


@pytest.mark.parametrize("bits", [24, 32])
def test_a_profile_is_applied(engine: Engine, tmp_path: Path, bits: int) -> None:
    rows = [row.tobytes() for row in np.insert(colors(3)[..., ::-1], 3, 0, 2)[..., : bits // 8].astype(np.uint8)]
    data = bmp(rows, bits, header=124)
    got = made(engine, tmp_path, with_profile(data, swapping()))
    assert np.abs(got - colors(3)[..., [1, 0, 2]]).max() <= 2
    linked = made(engine, tmp_path, with_profile(data, b"any.icc\0", b"KNIL"))
    assert np.array_equal(linked, colors(3))


def test_a_damaged_profile_is_ignored_with_a_warning(engine: Engine, tmp_path: Path) -> None:
    rows = [row.tobytes() for row in colors(3)[..., ::-1].astype(np.uint8)]
    (tmp_path / "any.bmp").write_bytes(with_profile(bmp(rows, 24, header=124), b"no profile"))
    (warning,) = engine(tmp_path / "any.bmp", format="png", lossless="yes").only.warnings
    assert "profile" in warning


PALETTE = np.array([(0, 0, 0), (255, 255, 255), (200, 30, 60), (1, 2, 3)])


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_few_colors(engine: Engine, tmp_path: Path, bits: int, count: int) -> None:
    """Two colors that are black and white do not make the indices single bits."""
    count = min(count, 1 << bits)
    indices = np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH) % count
    ones = np.unpackbits(indices[..., None].astype(np.uint8), axis=-1)[..., -bits:].reshape(HEIGHT, -1)
    rows = [row.tobytes() for row in np.packbits(ones, axis=-1)]
    palette = b"".join(bytes(color[::-1].tolist()) + b"\0" for color in PALETTE[:count])
    got = made(engine, tmp_path, bmp(rows, bits, palette=palette, colors=count))
    assert np.array_equal(got, PALETTE[indices])


def test_runs_of_two_colors(engine: Engine, tmp_path: Path) -> None:
    rows = [bytes((5, 1, WIDTH - 5, 0, 0, 0)) for _ in range(HEIGHT)]
    data = bmp([], 8, compression=RLE8, palette=b"\0\0\0\0\xff\xff\xff\0", colors=2) + b"".join(rows) + b"\0\1"
    got = made(engine, tmp_path, data, "L")
    assert np.array_equal(got, np.where(np.arange(WIDTH) < 5, 255, 0)[None].repeat(HEIGHT, 0))


@pytest.mark.parametrize("count", [300, 70_000, 2**31])
def test_palettes_that_claim_too_many_colors(engine: Engine, tmp_path: Path, count: int) -> None:
    palette = b"".join(bytes((0, index, 255 - index, 0)) for index in range(256))
    rows = [bytes(range(row, row + WIDTH)) for row in range(HEIGHT)]
    got = made(engine, tmp_path, bmp(rows, 8, palette=palette, colors=count))
    assert np.array_equal(got[3], [(255 - index, index, 0) for index in range(3, 3 + WIDTH)])


REFUSED: dict[str, dict[str, int]] = {
    "holds a JPEG, which is not supported": {"bits": 0, "compression": 4},
    "holds a PNG, which is not supported": {"bits": 0, "compression": 5},
    "is compressed with Huffman coding, which is not supported": {"bits": 1, "compression": 3, "header": 64},
    "is compressed with 24-bit run lengths, which is not supported": {"bits": 24, "compression": 4, "header": 64},
    "is compressed with method 77, which is not supported": {"bits": 8, "compression": 77},
    "has 64 bits per pixel, which is not supported": {"bits": 64},
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_read_is_refused_in_words(engine: Engine, tmp_path: Path, words: str) -> None:
    (tmp_path / "strange.bmp").write_bytes(bmp([bytes(800)], **REFUSED[words]))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedImage) as refusal:
        engine(tmp_path / "strange.bmp", width=4)
    assert refusal.value.detail == f"This BMP {words}."


def test_scattered_masks_are_refused_in_words(engine: Engine, tmp_path: Path) -> None:
    masks = (0xF0F, 0xF0, 0xF000, 0)
    (tmp_path / "strange.bmp").write_bytes(bmp([bytes(26)] * HEIGHT, 16, compression=MASKS, masks=masks))
    with pytest.raises(UnsupportedImage, match="color masks in an order that is not supported"):
        engine(tmp_path / "strange.bmp", width=4)


def test_missing_rows_are_damage(engine: Engine, tmp_path: Path) -> None:
    masks = LAYOUTS["11 11 10"][1]
    rows = masked(colors(3), masks, 32)[:-1]
    (tmp_path / "cut.bmp").write_bytes(bmp(rows, 32, compression=MASKS, masks=masks))
    with pytest.raises(BrokenImage):
        engine(tmp_path / "cut.bmp", width=4)


def test_the_reported_file(engine: Engine, corpus: Path) -> None:
    """Its colors are those of a picture of the BMP suite: red, green and blue areas, and a gray ramp."""
    made = engine(corpus / "reported" / "bmp_bitfields32.bmp", width=32)
    assert (made.only.width, made.only.height, made.only.warnings) == (32, 16, ())
