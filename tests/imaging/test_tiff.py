"""TIFFs of every layout: what is made shows what was written, and what cannot be made is refused in words."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from quickthumb.imaging import color
from quickthumb.model.errors import BrokenImage, UnsupportedImage
from tests.imaging import tiff_files as tf
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.tiff_files import Tags, of_samples, tiff

ROWS, COLUMNS = 13, 21
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIELAB = 0, 1, 2, 3, 5, 6, 8
UNSPECIFIED, PREMULTIPLIED, ALPHA = 0, 1, 2


def ramps(count: int) -> NDArray[np.int_]:
    """Samples of 8 bits: each grows or falls in another direction."""
    across = np.linspace(0, 255, COLUMNS)[None, :].repeat(ROWS, 0)
    down = np.linspace(0, 255, ROWS)[:, None].repeat(COLUMNS, 1)
    return np.stack([across, down, 255 - across, (across + down) / 2, 255 - down][:count], -1).round().astype(int)


def made(engine: Engine, tmp_path: Path, data: bytes, mode: str) -> NDArray[np.int_]:
    (tmp_path / "any.tif").write_bytes(data)
    return np.asarray(engine(tmp_path / "any.tif", format="png").picture().convert(mode)).astype(int)


def of_ink(samples: NDArray[np.int_]) -> NDArray[np.int_]:
    ink = Image.fromarray(samples[..., :4].astype(np.uint8), "CMYK")
    return np.asarray(color.read({}, None, "CMYK", LIMITS).to_srgb(ink)).astype(int)


def shown(samples: NDArray[np.int_], photometric: int, alpha: int | None) -> NDArray[np.int_]:
    """What these samples mean, as RGB or RGBA."""
    if photometric == CMYK:
        colors = of_ink(samples)
    elif photometric == RGB:
        colors = samples[..., :3]
    else:
        gray = 255 - samples[..., :1] if photometric == WHITE_IS_ZERO else samples[..., :1]
        colors = gray.repeat(3, -1)
    return colors if alpha is None else np.concatenate([colors, samples[..., alpha : alpha + 1]], -1)


LAYOUTS = {
    "gray": (BLACK_IS_ZERO, 1, []),
    "white is zero": (WHITE_IS_ZERO, 1, []),
    "gray and alpha": (BLACK_IS_ZERO, 2, [ALPHA]),
    "white is zero, and alpha": (WHITE_IS_ZERO, 2, [ALPHA]),
    "gray and another": (BLACK_IS_ZERO, 2, [UNSPECIFIED]),
    "rgb": (RGB, 3, []),
    "rgb and alpha": (RGB, 4, [ALPHA]),
    "rgb and another": (RGB, 4, [UNSPECIFIED]),
    "rgb, another and alpha": (RGB, 5, [UNSPECIFIED, ALPHA]),
    "cmyk": (CMYK, 4, []),
    "cmyk and alpha": (CMYK, 5, [ALPHA]),
    "cmyk and another": (CMYK, 5, [UNSPECIFIED]),
}


@pytest.mark.parametrize("big", [False, True], ids=["tiff", "bigtiff"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", LAYOUTS)
def test_whole_bytes(engine: Engine, tmp_path: Path, name: str, bits: int, planar: int, order: str, big: bool) -> None:
    photometric, count, extra = LAYOUTS[name]
    samples = ramps(count)
    alpha = count - len(extra) + extra.index(ALPHA) if ALPHA in extra else None
    tags: Tags = {tf.PHOTOMETRIC: photometric, tf.EXTRA: extra, tf.PLANAR: planar}
    data = of_samples(samples * (257 if bits == 16 else 1), tags, bits=bits, order=order, big=big)
    wanted = shown(samples, photometric, alpha)
    got = made(engine, tmp_path, data, "RGB" if alpha is None else "RGBA")
    if alpha is not None:  # the color of what is hidden does not matter
        got[..., :3][wanted[..., 3] == 0] = wanted[..., :3][wanted[..., 3] == 0]
    assert np.abs(got - wanted).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", [BLACK_IS_ZERO, RGB])
def test_premultiplied_alpha(engine: Engine, tmp_path: Path, photometric: int, bits: int, order: str) -> None:
    samples = ramps(4 if photometric == RGB else 2)
    samples[..., -1] = 128
    stored = samples.copy()
    stored[..., :-1] = samples[..., :-1] * 128 // 255
    tags: Tags = {tf.PHOTOMETRIC: photometric, tf.EXTRA: [PREMULTIPLIED]}
    data = of_samples(stored * (257 if bits == 16 else 1), tags, bits=bits, order=order)
    wanted = shown(samples, photometric, samples.shape[-1] - 1)
    assert np.abs(made(engine, tmp_path, data, "RGBA") - wanted).max() <= 3


def predicted(samples: NDArray[np.int_], kind: np.dtype[np.unsignedinteger]) -> bytes:
    """Deflated differences from the pixel to the left."""
    differences = samples.copy()
    differences[:, 1:] -= samples[:, :-1]
    return zlib.compress((differences % (1 << 8 * kind.itemsize)).astype(kind).tobytes())


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("kind", ["u1", "<u2", ">u2"])
@pytest.mark.parametrize("planar", [1, 2])
def test_a_predictor_is_undone(engine: Engine, tmp_path: Path, planar: int, kind: str, tiled: bool) -> None:
    dtype = np.dtype(kind)
    samples = ramps(2)
    stored = np.zeros((16, 32, 2), int)
    stored[:ROWS, :COLUMNS] = samples * (257 if dtype.itemsize == 2 else 1)
    planes = [stored[..., place, None] for place in range(2)] if planar == 2 else [stored]
    if tiled:
        pieces = [predicted(plane[:, left : left + 16], dtype) for plane in planes for left in (0, 16)]
    else:
        pieces = [predicted(plane[:ROWS, :COLUMNS], dtype) for plane in planes]
    tags: Tags = {tf.PHOTOMETRIC: BLACK_IS_ZERO, tf.BITS: [8 * dtype.itemsize] * 2, tf.SAMPLES: 2, tf.EXTRA: [ALPHA]}
    tags = {**tags, tf.COMPRESSION: 8, tf.PREDICTOR: 2, tf.PLANAR: planar}
    tags = {**tags, **({tf.TILE_WIDTH: 16, tf.TILE_LENGTH: 16} if tiled else {tf.ROWS: ROWS})}
    data = tiff(COLUMNS, ROWS, tags, pieces, order=kind[0] if len(kind) == 3 else "<")
    got = made(engine, tmp_path, data, "LA")
    visible = samples[..., 1:] > 0
    assert np.abs((got - samples) * visible).max() <= 1


@pytest.mark.parametrize("scale", [1, 257])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_color_maps_of_8_and_of_16_bits(engine: Engine, tmp_path: Path, bits: int, scale: int) -> None:
    """The specification wants 16 bits; some encoders write 8."""
    colors = 1 << bits
    levels = np.linspace(0, 255, colors).round().astype(int)
    indices = np.arange(ROWS * 24).reshape(ROWS, 24) % colors
    packed = np.packbits(np.unpackbits(indices[..., None].astype(np.uint8), axis=-1)[..., -bits:].reshape(ROWS, -1))
    color_map = [int(level) * scale for level in (*levels, *levels[::-1], *levels)]
    tags: Tags = {tf.PHOTOMETRIC: PALETTE, tf.BITS: bits, tf.SAMPLES: 1, tf.ROWS: ROWS, tf.COLOR_MAP: color_map}
    got = made(engine, tmp_path, tiff(24, ROWS, tags, [packed.tobytes()]), "RGB")
    wanted = np.stack([levels, levels[::-1], levels], -1)[indices]
    assert np.abs(got - wanted).max() <= 1


@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_of_gray(engine: Engine, tmp_path: Path, bits: int, photometric: int) -> None:
    levels = np.arange(ROWS * 24).reshape(ROWS, 24) % (1 << bits)
    packed = np.packbits(np.unpackbits(levels[..., None].astype(np.uint8), axis=-1)[..., -bits:].reshape(ROWS, -1))
    tags: Tags = {tf.PHOTOMETRIC: photometric, tf.BITS: bits, tf.SAMPLES: 1, tf.ROWS: ROWS}
    got = made(engine, tmp_path, tiff(24, ROWS, tags, [packed.tobytes()]), "L")
    gray = levels * 255 // ((1 << bits) - 1)
    assert np.array_equal(got, 255 - gray if photometric == WHITE_IS_ZERO else gray)


@pytest.mark.parametrize("order", ["<", ">"])
def test_gray_of_12_bits(engine: Engine, tmp_path: Path, order: str) -> None:
    levels = np.linspace(0, 4095, 24 * ROWS).round().astype(int).reshape(ROWS, 24)
    first, second = levels[:, 0::2], levels[:, 1::2]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], -1).astype(np.uint8)
    tags: Tags = {tf.PHOTOMETRIC: BLACK_IS_ZERO, tf.BITS: 12, tf.SAMPLES: 1, tf.ROWS: ROWS}
    got = made(engine, tmp_path, tiff(24, ROWS, tags, [packed.tobytes()], order=order), "L")
    assert np.abs(got - levels / 4095 * 255).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
def test_cielab_in_planes_is_that_of_one_plane(engine: Engine, tmp_path: Path, bits: int, order: str) -> None:
    samples = ramps(3) * (256 if bits == 16 else 1)
    tags: Tags = {tf.PHOTOMETRIC: CIELAB}
    one = made(engine, tmp_path, of_samples(samples, tags, bits=bits, order=order), "RGB")
    planes = made(engine, tmp_path, of_samples(samples, {**tags, tf.PLANAR: 2}, bits=bits, order=order), "RGB")
    assert np.array_equal(one, planes)


def test_many_samples_of_which_one_is_seen(engine: Engine, tmp_path: Path) -> None:
    samples = np.repeat(ramps(1), 9, axis=-1)
    data = of_samples(samples, {tf.PHOTOMETRIC: BLACK_IS_ZERO, tf.EXTRA: [UNSPECIFIED] * 8})
    assert np.array_equal(made(engine, tmp_path, data, "L"), samples[..., 0])


@pytest.mark.parametrize("compression", [1, 8])
def test_subsampled_colors_of_plain_strips(engine: Engine, tmp_path: Path, compression: int) -> None:
    """Four samples of luma share two of color (TIFF 6.0, section 21)."""
    luma = np.linspace(16, 235, 16 * 16).reshape(16, 16).round().astype(np.uint8)
    blocks = luma.reshape(8, 2, 8, 2).swapaxes(1, 2).reshape(64, 4)
    strip = np.concatenate([blocks, np.full((64, 2), 128, np.uint8)], -1).tobytes()
    strip = strip if compression == 1 else zlib.compress(strip)
    tags: Tags = {tf.PHOTOMETRIC: YCBCR, tf.BITS: [8] * 3, tf.SAMPLES: 3, tf.ROWS: 16, tf.SUBSAMPLING: [2, 2]}
    got = made(engine, tmp_path, tiff(16, 16, {**tags, tf.COMPRESSION: compression}, [strip]), "RGB")
    assert np.abs(got - luma[..., None]).max() <= 3


@pytest.mark.parametrize("coefficients", [[], [0, 0, 0], [7, 1, 1]])
def test_weights_of_colors_that_make_no_sense(engine: Engine, tmp_path: Path, coefficients: list[int]) -> None:
    """Then the usual ones count."""
    colors = Image.fromarray(ramps(3).astype(np.uint8))
    tags: Tags = {tf.PHOTOMETRIC: YCBCR, tf.BITS: [8] * 3, tf.SAMPLES: 3, tf.ROWS: ROWS, tf.SUBSAMPLING: [1, 1]}
    tags = {**tags, tf.COEFFICIENTS: coefficients}
    data = tiff(COLUMNS, ROWS, tags, [colors.convert("YCbCr").tobytes()])
    assert np.abs(made(engine, tmp_path, data, "RGB") - np.asarray(colors)).max() <= 4


@pytest.mark.parametrize("planar", [1, 2])
def test_tiles_that_are_called_strips(engine: Engine, tmp_path: Path, planar: int) -> None:
    """Old files do so, and libtiff reads them."""
    samples = ramps(3)
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:ROWS, :COLUMNS] = samples
    planes = [stored[..., place] for place in range(3)] if planar == 2 else [stored]
    pieces = [plane[:, left : left + 16].tobytes() for plane in planes for left in (0, 16)]
    tags: Tags = {tf.PHOTOMETRIC: RGB, tf.BITS: [8] * 3, tf.SAMPLES: 3, tf.PLANAR: planar}
    data = tiff(COLUMNS, ROWS, {**tags, tf.TILE_WIDTH: 16, tf.TILE_LENGTH: 16}, pieces)
    assert np.array_equal(made(engine, tmp_path, data, "RGB"), samples)
    for tiles, strips in ((tf.TILE_OFFSETS, tf.OFFSETS), (tf.TILE_BYTES, tf.BYTES)):
        for kind in (3, 4):
            data = data.replace(struct.pack("<HH", tiles, kind), struct.pack("<HH", strips, kind))
    assert np.array_equal(made(engine, tmp_path, data, "RGB"), samples)


def test_what_a_file_does_not_say_is_as_in_libtiff(engine: Engine, tmp_path: Path) -> None:
    samples = ramps(3)
    got = made(engine, tmp_path, of_samples(samples, {tf.PHOTOMETRIC: []}), "RGB")
    assert np.array_equal(got, samples)
    got = made(engine, tmp_path, of_samples(samples[..., :1], {tf.PHOTOMETRIC: []}), "L")
    assert np.array_equal(got, samples[..., 0])
    one = of_samples(samples, {tf.PHOTOMETRIC: RGB, tf.BITS: 8})
    assert np.array_equal(made(engine, tmp_path, one, "RGB"), samples)


@pytest.mark.parametrize("byte_counts", [[], [1] * 5, [10**6] * 5])
def test_wrong_byte_counts_of_plain_strips_do_no_harm(engine: Engine, tmp_path: Path, byte_counts: list[int]) -> None:
    samples = ramps(3)
    data = of_samples(samples, {tf.PHOTOMETRIC: RGB, tf.BYTES: byte_counts})
    assert np.array_equal(made(engine, tmp_path, data, "RGB"), samples)


@pytest.mark.parametrize("lengths", [[], [0] * 5])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_lengths_of_packed_strips_that_are_missing(
    engine: Engine, tmp_path: Path, count: int, lengths: list[int]
) -> None:
    samples = ramps(count)
    strips = [zlib.compress(samples[top : top + 3].astype("u1").tobytes()) for top in range(0, ROWS, 3)]
    tags: Tags = {tf.PHOTOMETRIC: RGB if count == 3 else BLACK_IS_ZERO, tf.BITS: [8] * count, tf.SAMPLES: count}
    tags = {**tags, tf.ROWS: 3, tf.COMPRESSION: 8, tf.BYTES: lengths, tf.EXTRA: [UNSPECIFIED] * (count == 2)}
    got = made(engine, tmp_path, tiff(COLUMNS, ROWS, tags, strips), "RGB")
    assert np.array_equal(got, shown(samples, RGB if count == 3 else BLACK_IS_ZERO, None))


PLAIN: Tags = {tf.PHOTOMETRIC: BLACK_IS_ZERO, tf.BITS: 8, tf.SAMPLES: 1}
REFUSED: dict[str, Tags] = {
    "has 32-bit floating-point samples, which are not supported": {tf.BITS: 32, tf.FORMAT: 3},
    "has 16-bit floating-point samples, which are not supported": {tf.BITS: 16, tf.FORMAT: 3},
    "has 64-bit floating-point samples, which are not supported": {
        tf.PHOTOMETRIC: RGB,
        tf.BITS: [64] * 3,
        tf.SAMPLES: 3,
        tf.FORMAT: [3] * 3,
    },
    "has signed 8-bit samples, which are not supported": {tf.FORMAT: 2},
    "has signed 16-bit samples, which are not supported": {tf.BITS: 16, tf.FORMAT: 2},
    "has complex or mixed samples, which are not supported": {tf.BITS: 64, tf.FORMAT: 6},
    "has one sample of 32 bits per pixel, which is not supported": {tf.BITS: 32},
    "has samples of different sizes, which are not supported": {tf.PHOTOMETRIC: RGB, tf.BITS: [5, 6, 5], tf.SAMPLES: 3},
    "has 3 samples of 12 bits per pixel, which is not supported": {
        tf.PHOTOMETRIC: RGB,
        tf.BITS: [12] * 3,
        tf.SAMPLES: 3,
    },
    "has a palette with 16-bit samples or other samples beside it, which is not supported": {
        tf.PHOTOMETRIC: PALETTE,
        tf.BITS: 16,
        tf.COLOR_MAP: [0] * 12,
    },
    "holds raw camera data, which is not supported": {tf.PHOTOMETRIC: 32803, tf.BITS: 16},
    "holds a transparency mask, which is not supported": {tf.PHOTOMETRIC: 4, tf.BITS: 1},
    "has the photometric interpretation 77, which is not supported": {tf.PHOTOMETRIC: 77},
    "holds inks other than cyan, magenta, yellow and black, which are not supported": {
        tf.PHOTOMETRIC: CMYK,
        tf.BITS: [8] * 4,
        tf.SAMPLES: 4,
        332: 2,
    },
    "is compressed with LERC, which is not supported": {tf.COMPRESSION: 34887},
    "is compressed with WebP, which is not supported": {tf.COMPRESSION: 50001},
    "is compressed with JPEG 2000, which is not supported": {tf.COMPRESSION: 34712},
    "is compressed with method 4711, which is not supported": {tf.COMPRESSION: 4711},
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_read_is_refused_in_words(engine: Engine, tmp_path: Path, words: str, order: str) -> None:
    (tmp_path / "strange.tif").write_bytes(
        tiff(8, 8, {**PLAIN, tf.ROWS: 8, **REFUSED[words]}, [bytes(2048)], order=order)
    )
    with pytest.raises(UnsupportedImage) as refusal:
        engine(tmp_path / "strange.tif", width=4)
    assert refusal.value.detail == f"This TIFF {words}."


@pytest.mark.parametrize(
    "tags",
    [
        {tf.OFFSETS: []},
        {tf.OFFSETS: [2**31], tf.PHOTOMETRIC: WHITE_IS_ZERO, tf.BITS: 16},
        {tf.SAMPLES: 1000},
        {tf.PHOTOMETRIC: CMYK, tf.BITS: [8, 8], tf.SAMPLES: 2},
        {tf.PHOTOMETRIC: BLACK_IS_ZERO, tf.BITS: [16, 16], tf.SAMPLES: 2, tf.EXTRA: ALPHA, tf.PLANAR: 2},
    ],
    ids=["no strips", "strips beyond the end", "too many samples", "too few samples", "too few strips"],
)
def test_damaged_files_are_called_damaged(engine: Engine, tmp_path: Path, tags: Tags) -> None:
    (tmp_path / "damaged.tif").write_bytes(tiff(8, 8, {**PLAIN, tf.ROWS: 8, **tags}, [bytes(64)]))
    with pytest.raises(BrokenImage):
        engine(tmp_path / "damaged.tif", width=4)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_own_layouts_stand_upright(engine: Engine, tmp_path: Path, orientation: int) -> None:
    samples = ramps(2)
    samples[..., 1] = 255
    data = of_samples(samples, {tf.PHOTOMETRIC: WHITE_IS_ZERO, tf.EXTRA: [ALPHA], 274: orientation})
    wanted = np.rot90(255 - samples[..., 0], {1: 0, 3: 2, 6: -1}[orientation])
    assert np.array_equal(made(engine, tmp_path, data, "L"), wanted)


REPORTED: dict[str, dict[tuple[int, int], tuple[int, ...]]] = {
    "tiff_wiz16.tif": {(1, 8): (4,) * 3, (62, 8): (251,) * 3},
    "tiff_planar16.tif": {(1, 8): (251, 4, 125), (62, 8): (4, 251, 2)},
    "tiff_colormap8.tif": {(0, 8): (0, 0, 0), (63, 8): (255, 255, 255)},
    "tiff_bigtiff_be.tif": {(0, 8): (255, 255, 255), (63, 8): (0, 0, 0)},
    "tiff_ga16.tif": {(1, 8): (251, 251, 251, 156), (62, 8): (4, 4, 4, 156)},
}


@pytest.mark.parametrize("name", REPORTED)
def test_reported_files(engine: Engine, corpus: Path, name: str) -> None:
    result = engine(corpus / "reported" / name, format="png")
    assert result.only.warnings == ()
    for place, wanted in REPORTED[name].items():
        found = np.asarray(result.picture().convert("RGBA" if len(wanted) == 4 else "RGB"))[place[::-1]]
        assert np.abs(found.astype(int) - wanted).max() <= 3


def test_reported_ink_with_alpha_is_made(engine: Engine, corpus: Path) -> None:
    made = engine(corpus / "reported" / "tiff_cmyka8.tif", format="png").only
    assert (made.width, made.color) == (64, "converted from CMYK to sRGB")
