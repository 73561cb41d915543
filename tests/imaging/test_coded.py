"""Coded pictures that are larger, or consist of more frames, than their file says."""

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from quickthumb.imaging.decoders import opened
from quickthumb.imaging.formats.av1 import read_coded
from quickthumb.imaging.formats.bits import Coded
from quickthumb.imaging.formats.pieces import Pieces
from quickthumb.imaging.formats.window import Prefix
from quickthumb.model.errors import BrokenImage, QuickThumbError, TooManyParts
from quickthumb.model.limits import Limits
from tests.imaging.conftest import Engine
from tests.imaging.pictures import disc, noise

WIDTH, HEIGHT = 320, 200
LIMITS = Limits()


def avif(*pictures: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    first, *others = pictures or (noise(WIDTH, HEIGHT),)
    first.save(file, "AVIF", speed=10, save_all=bool(others), append_images=others, **options)
    return file.getvalue()


STILL = avif()
ANIMATION = avif(*(noise(WIDTH, HEIGHT, seed=seed) for seed in range(1, 5)))
DATA = b"\x12\0\x0a"  # the first units of coded data: a delimiter and a sequence header


def data_of(still: bytes) -> bytes:
    return still[still.index(DATA, still.index(b"mdat")) :]


def with_data(still: bytes, data: bytes) -> bytes:
    """The still with other data for its item."""
    old = data_of(still)
    changed = bytearray(still.removesuffix(old))
    place = changed.index(struct.pack(">I", len(old)), changed.index(b"iloc"))
    struct.pack_into(">I", changed, place, len(data))
    struct.pack_into(">I", changed, changed.index(b"mdat") - 4, 8 + len(data))
    return bytes(changed) + data


def claiming(whole: bytes, width: int, height: int) -> bytes:
    changed = bytearray(whole)
    place = changed.index(b"ispe") + 8
    struct.pack_into(">II", changed, place, width, height)
    if (track := changed.find(b"tkhd")) > 0:
        struct.pack_into(">II", changed, track + 92, width << 16, height << 16)
    return bytes(changed)


@pytest.mark.parametrize("whole", [STILL, ANIMATION, avif(disc(200))], ids=["still", "animation", "with alpha"])
def test_data_that_is_larger_than_its_file_says_is_broken(tmp_path: Path, whole: bytes) -> None:
    """The decoder would take the data's own size, which nobody has checked, and shrink the picture afterwards."""
    path = tmp_path / "image"
    path.write_bytes(claiming(whole, 16, 16))
    with (
        pytest.raises(BrokenImage, match=r"its AV1 data has .* pixels, but the file says 16 × 16"),
        opened(path, LIMITS),
    ):
        pass


@pytest.mark.parametrize(
    ("whole", "frames"),
    [
        (STILL, 1),
        (ANIMATION, 4),
        (avif(disc(200)), 1),
        (avif(disc(200), disc(200).rotate(90)), 2),
        (avif(noise(96, 96), quality=100), 1),
    ],
)
def test_what_encoders_make_passes(engine: Engine, tmp_path: Path, whole: bytes, frames: int) -> None:
    (tmp_path / "image").write_bytes(whole)
    assert engine(tmp_path / "image", width=50).only.frames == frames


@pytest.mark.parametrize("whole", [STILL, ANIMATION], ids=["still", "animation"])
def test_the_sequence_header_tells_the_size(whole: bytes) -> None:
    data = data_of(whole)
    assert read_coded(Prefix(data, True), 4 + data[3]) == Coded(WIDTH, HEIGHT, 0)


def test_a_sequence_header_with_everything_optional_tells_its_size() -> None:
    timing = "1" + "0" * 31 + "1" + "0" * 31 + "1" + "1" + "00101"  # with an equal interval: 4, as an uvlc number
    model = "1" + f"{9:05b}" + "0" * 31 + "1" + f"{9:05b}" * 2
    point = "0" * 12 + f"{9:05b}" + "1" + "1" + "0" * 21 + "1" + "0000"
    bits = "00000" + timing + model + "1" + f"{1:05b}" + point * 2 + f"{11:04b}{10:04b}{4000 - 1:012b}{1500 - 1:011b}"
    header = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    data = b"\x0a" + bytes([len(header)]) + header
    assert read_coded(Prefix(data, True), len(data)) == Coded(4000, 1500, 0)
    for end in range(3, len(header)):
        with pytest.raises(BrokenImage):
            read_coded(Prefix(b"\x0a" + bytes([end]) + header[:end], True), 2 + end)


def test_a_picture_has_few_frames(tmp_path: Path) -> None:
    data = data_of(STILL)
    head = data.index(b"\x32")
    path = tmp_path / "image"
    path.write_bytes(with_data(STILL, data + data[head:] * 7))
    with opened(path, LIMITS):
        pass
    path.write_bytes(with_data(STILL, data + data[head:] * 8))
    with pytest.raises(TooManyParts, match="at most 8"), opened(path, LIMITS):
        pass
    path.write_bytes(with_data(STILL, data + b"\x12\0" * 5000))
    with pytest.raises(TooManyParts, match="too many parts"), opened(path, LIMITS):
        pass


def test_data_in_pieces_is_read_as_one() -> None:
    data = data_of(STILL)
    window = Prefix(b"__" + data[:1] + b"__" + data[1:9] + b"__" + data[9:], True)
    pieces = Pieces(window, [(2, 1), (5, 8), (15, len(data) - 9)])
    assert pieces.length == len(data)
    assert read_coded(pieces, pieces.length) == Coded(WIDTH, HEIGHT, 1)
    assert [pieces.at(offset, 3) for offset in range(20)] == [data[offset : offset + 3] for offset in range(20)]
    with pytest.raises(BrokenImage):
        pieces.at(len(data) - 2, 3)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    whole=st.sampled_from([STILL, ANIMATION]),
    changes=st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 255)), min_size=1, max_size=6),
)
@pytest.mark.filterwarnings("ignore")
def test_damaged_boxes_have_a_typed_outcome(tmp_path: Path, whole: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(whole)
    for place, value in changes:
        data[place] = value
    (tmp_path / "image").write_bytes(data)
    try:
        with opened(tmp_path / "image", LIMITS):
            pass
    except QuickThumbError:
        pass
