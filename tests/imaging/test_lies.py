"""Files whose parts do not agree about the size: nothing is decoded at a size that was not checked.

An AVIF's coded data is in test_coded.py; frames beyond a GIF's screen and second headers are in test_watch.py.
"""

import struct
from pathlib import Path

import pytest

from quickthumb.imaging.decoders import opened
from quickthumb.model.errors import BrokenImage, TooManyPixels
from quickthumb.model.limits import Limits
from tests.chaos.bombs import riff, riff_chunk, triple, webp_canvas_chunk
from tests.imaging.conftest import Engine
from tests.imaging.costly_files import saved, tiff_tile
from tests.imaging.test_broken import icon_of

SMALL = Limits(max_pixels=10_000)


def webp_frame(width: int, height: int, pixels: bytes) -> bytes:
    places = triple(0) * 2 + triple(width - 1) + triple(height - 1) + triple(10) + b"\0"
    return riff_chunk(b"ANMF", places + pixels)


def webps() -> dict[str, bytes]:
    pixels, lossless = (saved("WEBP", 640, 480, lossless=lossless)[12:] for lossless in (False, True))
    animation = (webp_canvas_chunk(2, 16, 16), riff_chunk(b"ANIM", bytes(6)))
    return {
        "lossy": riff(webp_canvas_chunk(0, 16, 16), pixels),
        "lossless": riff(webp_canvas_chunk(0, 16, 16), lossless),
        "frame": riff(*animation, webp_frame(16, 16, pixels)),
        "frame beyond the canvas": riff(*animation, webp_frame(640, 480, pixels)),
    }


@pytest.mark.parametrize("kind", ["lossy", "lossless", "frame", "frame beyond the canvas"])
def test_a_webp_whose_canvas_is_smaller_than_its_picture_is_broken(engine: Engine, tmp_path: Path, kind: str) -> None:
    (tmp_path / "image").write_bytes(webps()[kind])
    with pytest.raises(BrokenImage):
        engine(tmp_path / "image", width=8)


def test_the_size_of_an_icon_is_that_of_the_picture_in_it(tmp_path: Path) -> None:
    (tmp_path / "icon").write_bytes(icon_of(saved("PNG", 640, 480), claimed=16))
    with pytest.raises(TooManyPixels, match="640 × 480"), opened(tmp_path / "icon", SMALL):
        pass


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_tiff_with_more_data_than_its_size_needs_is_decoded_at_its_size(
    engine: Engine, tmp_path: Path, compression: str
) -> None:
    whole = bytearray(saved("TIFF", 640, 480, compression=compression))
    for tag in (256, 257):
        number = 4 if compression == "raw" else 3  # LONG by Pillow, SHORT by libtiff
        struct.pack_into("<I", whole, whole.rindex(struct.pack("<HHI", tag, number, 1)) + 8, 16)
    (tmp_path / "image").write_bytes(whole)
    made = engine(tmp_path / "image", width=16, limits=SMALL).only
    assert (made.width, made.height) == (16, 16)


def test_a_jpeg_with_more_data_than_its_size_needs_is_decoded_at_its_size(engine: Engine, tmp_path: Path) -> None:
    jpeg = bytearray(saved("JPEG", 640, 480))
    struct.pack_into(">HH", jpeg, jpeg.index(b"\xff\xc0") + 5, 16, 16)
    (tmp_path / "image").write_bytes(jpeg)
    made = engine(tmp_path / "image", width=16, limits=SMALL).only
    assert (made.width, made.height) == (16, 16)


def test_a_tile_far_larger_than_its_picture_is_broken(engine: Engine, tmp_path: Path) -> None:
    """One of 32,000 × 32,000, of a file of a megabyte, took a gigabyte of memory."""
    (tmp_path / "image").write_bytes(tiff_tile(16, 16, 1024))
    with pytest.raises(BrokenImage, match="tiles"):
        engine(tmp_path / "image", width=8)
    for width, side in ((100, 256), (1000, 1008)):
        (tmp_path / "image").write_bytes(tiff_tile(width, width, side))
        assert engine(tmp_path / "image", width=50).only.width == 50
