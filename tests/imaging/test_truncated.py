"""Files that are cut off: refused, or made of what is there if all outputs ask for it."""

import io
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from quickthumb.model.errors import BrokenImage
from tests.imaging import tiff_files as tf
from tests.imaging.conftest import Engine
from tests.imaging.pictures import noise
from tests.imaging.png_files import END, GREY, PALETTE, RGB, header, palette, png, spoiled
from tests.imaging.png_files import pixels as pixels_chunk
from tests.imaging.test_broken import chunk

SIZE = (160, 120)


def encoded(suffix: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    picture = noise(*SIZE)
    if mode == "RGBA":
        picture.putalpha(200)
    elif mode != "RGB":
        picture = picture.convert(mode)
    picture.save(file, suffix, **options)
    return file.getvalue()


def key(*samples: int) -> bytes:
    """The chunk that says which color of a PNG stands for transparent."""
    return chunk(b"tRNS", struct.pack(f">{len(samples)}H", *samples))


def pixels(engine: Engine, path: Path, data: bytes, **parameters: Any) -> np.ndarray[Any, Any]:
    path.write_bytes(data)
    return np.asarray(engine(path, format="png", **parameters).picture().convert("RGBA")).astype(int)


@pytest.mark.parametrize(
    ("suffix", "mode", "empty"),
    [
        ("png", "RGB", (0, 0, 0, 255)),
        ("png", "RGBA", (0, 0, 0, 0)),
        ("png", "L", (0, 0, 0, 255)),
        ("bmp", "RGB", (0, 0, 0, 255)),
        ("bmp", "L", (0, 0, 0, 255)),
    ],
)
def test_what_is_missing_stays_empty(
    engine: Engine, tmp_path: Path, suffix: str, mode: str, empty: tuple[int, ...]
) -> None:
    data, path = encoded(suffix, mode), tmp_path / f"cut.{suffix}"
    whole = pixels(engine, path, data)
    got = pixels(engine, path, data[: len(data) * 6 // 10], truncated="fill")
    there, missing = (got[-40:], got[:40]) if suffix == "bmp" else (got[:40], got[-40:])
    assert np.array_equal(there, whole[-40:] if suffix == "bmp" else whole[:40])
    assert (missing == empty).all()
    word = "transparent" if empty[3] == 0 else "black"
    warning = f"The file is cut off or faulty: what is missing of the picture is {word}."
    no_end = ["The PNG ends too early: its end marker is missing."] if suffix == "png" else []
    assert engine(path, width=30, truncated="fill").only.warnings == (*no_end, warning)


BLACK, CLEAR, FIRST = (0, 0, 0, 255), (0, 0, 0, 0), (7, 8, 9, 255)
COLORS = palette((7, 8, 9), *((level,) * 3 for level in range(255)))


@pytest.mark.parametrize(
    ("kind", "bits", "before", "empty", "word"),
    [
        (GREY, 8, key(255), BLACK, "black"),
        (GREY, 8, key(0), CLEAR, "transparent"),
        (GREY, 16, key(1), BLACK, "black"),
        (RGB, 8, key(1, 2, 3), BLACK, "black"),
        (RGB, 16, key(1, 2, 3), BLACK, "black"),
        (RGB, 16, key(0, 0, 0), CLEAR, "transparent"),
        (PALETTE, 8, COLORS, FIRST, "in the first color of its palette"),
        (PALETTE, 8, COLORS + chunk(b"tRNS", b"\xff\0"), FIRST, "in the first color of its palette"),
    ],
)
def test_what_is_missing_of_a_picture_with_a_key(
    engine: Engine, tmp_path: Path, kind: int, bits: int, before: bytes, empty: tuple[int, ...], word: str
) -> None:
    sample_bytes = bits // 8 * (3 if kind == RGB else 1)
    rows = [random.Random(row).randbytes(64 * sample_bytes) for row in range(48)]
    data = png(header(64, 48, kind, bits), before, pixels_chunk(rows), END)
    whole = pixels(engine, tmp_path / "any.png", data)
    got = pixels(engine, tmp_path / "any.png", data[: len(data) * 6 // 10], truncated="fill")
    assert np.array_equal(got[:18], whole[:18])
    assert (got[-16:] == empty).all()
    warnings = engine(tmp_path / "any.png", width=20, truncated="fill").only.warnings
    assert warnings[1] == f"The file is cut off or faulty: what is missing of the picture is {word}."


def test_pixels_with_a_wrong_checksum_are_shown_if_they_may_be_filled(engine: Engine, tmp_path: Path) -> None:
    rows, path = pixels_chunk([b"\xff\0\0" * 64] * 48), tmp_path / "any.png"
    path.write_bytes(png(header(64, 48, RGB), spoiled(rows), END))
    with pytest.raises(BrokenImage, match="checksum"):
        engine(path, width=20)
    result = engine(path, width=20, format="png", truncated="fill")
    assert result.only.warnings == ("The picture may be faulty: the checksum of its pixels is wrong.",)
    assert result.picture().convert("RGB").getcolors() == [(20 * 15, (255, 0, 0))]


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp", "webp", "avif", "tiff"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_cut_files_are_refused_by_default(engine: Engine, tmp_path: Path, suffix: str, share: float) -> None:
    data = encoded(suffix)
    (tmp_path / "cut").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BrokenImage):
        engine(tmp_path / "cut", width=30)


@pytest.mark.parametrize("suffix", ["webp", "avif"])
def test_some_formats_cannot_be_filled(engine: Engine, tmp_path: Path, suffix: str) -> None:
    data = encoded(suffix)
    (tmp_path / "cut").write_bytes(data[: len(data) // 2])
    with pytest.raises(BrokenImage):
        engine(tmp_path / "cut", width=30, truncated="fill")


def test_what_is_missing_of_inks_is_white(engine: Engine, tmp_path: Path) -> None:
    inks, path = np.asarray(noise(*SIZE).convert("CMYK")), tmp_path / "cut.tiff"
    strips = [inks[top : top + 20].tobytes() for top in range(0, SIZE[1], 20)]
    data = tf.tiff(*SIZE, {tf.PHOTOMETRIC: 5, tf.BITS: [8] * 4, tf.SAMPLES: 4, tf.ROWS: 20}, strips, room=512)
    got = pixels(engine, path, data[: len(data) * 6 // 10], truncated="fill")
    assert (got[-30:] == (255, 255, 255, 255)).all()
    told = "The file is cut off or faulty: what is missing of the picture is white."
    assert told in engine(path, width=20, truncated="fill").only.warnings


@pytest.mark.parametrize("compression", [1, 8])
def test_strips_that_are_there(engine: Engine, tmp_path: Path, compression: int) -> None:
    """Of a TIFF whose directory comes first, as in the files of cameras: cut off, it still says what it is."""
    samples, path = np.asarray(noise(*SIZE)), tmp_path / "cut.tiff"
    strips = [samples[top : top + 20].tobytes() for top in range(0, SIZE[1], 20)]
    strips = [zlib.compress(strip) for strip in strips] if compression == 8 else strips
    tags: tf.Tags = {tf.PHOTOMETRIC: 2, tf.BITS: [8] * 3, tf.SAMPLES: 3, tf.ROWS: 20, tf.COMPRESSION: compression}
    data = tf.tiff(*SIZE, tags, strips, room=512)
    whole = pixels(engine, path, data)
    got = pixels(engine, path, data[: len(data) * 6 // 10], truncated="fill")
    assert np.array_equal(got[:60], whole[:60])
    assert (got[-30:] == (0, 0, 0, 255)).all()


def animation() -> bytes:
    file = io.BytesIO()
    frames = [noise(*SIZE, seed=seed).quantize(64) for seed in range(4)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=100)
    return file.getvalue()


def test_the_frames_that_are_there(engine: Engine, tmp_path: Path) -> None:
    data, path = animation(), tmp_path / "cut.gif"
    path.write_bytes(data)
    whole = engine(path, format="webp", lossless=True).picture()
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(BrokenImage):
        engine(path, format="webp")
    with pytest.raises(BrokenImage):
        engine(path, frames="first")
    result = engine(path, format="webp", lossless=True, truncated="fill")
    assert result.only.frames == 3
    assert "The file is cut off within frame 3." in result.only.warnings
    with Image.open(result.path()) as made:
        assert np.array_equal(np.asarray(made.convert("RGB")), np.asarray(whole.convert("RGB")))


def test_a_gif_that_only_lacks_its_last_bytes_is_whole(engine: Engine, tmp_path: Path) -> None:
    for data in (animation(), encoded("gif")):
        wanted = pixels(engine, tmp_path / "whole.gif", data)
        for cut in (1, 2):
            assert np.array_equal(pixels(engine, tmp_path / "cut.gif", data[:-cut]), wanted)
            told = ("The end of the file is missing, but every pixel is there.",) if cut == 2 else ()
            assert engine(tmp_path / "cut.gif", format="webp").only.warnings == told


def test_a_webp_with_a_wrong_size_is_read(engine: Engine, tmp_path: Path) -> None:
    data = encoded("webp", lossless=True)
    wanted = pixels(engine, tmp_path / "any.webp", data)
    for size in (len(data) - 8 + 100, len(data) - 8 - 50, 2**32 - 10, 0):
        wrong = data[:4] + size.to_bytes(4, "little") + data[8:]
        assert np.array_equal(pixels(engine, tmp_path / "any.webp", wrong), wanted)


@pytest.mark.parametrize("cut", [1, 2, 3, 50])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_webp_that_lacks_pixels_is_refused(engine: Engine, tmp_path: Path, lossless: bool, cut: int) -> None:
    data = encoded("webp", lossless=lossless)
    padding = int.from_bytes(data[16:20], "little") % 2
    (tmp_path / "cut.webp").write_bytes(data[: -cut - padding])
    with pytest.raises(BrokenImage):
        engine(tmp_path / "cut.webp", width=30)


def test_a_webp_that_lacks_a_frame_is_refused(engine: Engine, tmp_path: Path) -> None:
    """Wherever it is cut off, between two chunks too."""
    file = io.BytesIO()
    frames = [noise(*SIZE, seed=seed) for seed in range(3)]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], quality=30)
    data = file.getvalue()
    for cut in (1, 7, 60, len(data) - data.rindex(b"ANMF"), len(data) - data.rindex(b"ANMF") - 8):
        (tmp_path / "cut.webp").write_bytes(data[:-cut])
        with pytest.raises(BrokenImage):
            engine(tmp_path / "cut.webp", width=30)


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "webp"])
def test_junk_behind_the_end_does_no_harm(engine: Engine, tmp_path: Path, suffix: str) -> None:
    data = encoded(suffix)
    wanted = pixels(engine, tmp_path / "any", data)
    assert np.array_equal(pixels(engine, tmp_path / "any", data + b"junk" * 50), wanted)


def test_a_bmp_with_a_wrong_size_of_the_file_is_read(engine: Engine, tmp_path: Path) -> None:
    data = encoded("bmp")
    wanted = pixels(engine, tmp_path / "any", data)
    assert np.array_equal(pixels(engine, tmp_path / "any", data[:2] + bytes(4) + data[6:]), wanted)
