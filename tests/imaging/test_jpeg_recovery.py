"""JPEGs that end too early, or say wrong lengths: what is there is made, and what is missing is told."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quickthumb.imaging.formats.jpeg_recovery import ALL_THERE, LEFT_OUT, LESS_DETAIL
from quickthumb.imaging.header import read_header
from quickthumb.model.errors import BrokenImage, UnsupportedImage
from tests.imaging.conftest import Engine
from tests.imaging.pictures import noise

END = b"\xff\xd9"
WAYS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "full color": {"subsampling": 0},
    "restarts": {"restart_marker_blocks": 3},
    "restarts in rows": {"restart_marker_rows": 1},
}
MODES = ("RGB", "L", "CMYK")


def jpeg(size: tuple[int, int] = (203, 117), mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    noise(*size).convert(mode).save(file, "JPEG", quality=85, **options)
    return file.getvalue()


def pixels(engine: Engine, tmp_path: Path, data: bytes, **parameters: Any) -> np.ndarray[Any, Any]:
    (tmp_path / "any.jpg").write_bytes(data)
    return np.asarray(engine(tmp_path / "any.jpg", format="png", **parameters).picture()).astype(int)


@pytest.mark.parametrize("width", [None, 25])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", WAYS)
def test_a_missing_end_marker_loses_nothing(
    engine: Engine, tmp_path: Path, way: str, mode: str, width: int | None
) -> None:
    data = jpeg(mode=mode, **WAYS[way])
    assert data.endswith(END)
    whole = pixels(engine, tmp_path, data, width=width)
    for cut in (1, 2):
        assert np.array_equal(pixels(engine, tmp_path, data[:-cut], width=width), whole)
        result = engine(tmp_path / "any.jpg", width=width)
        assert set(result.only.warnings) <= {ALL_THERE}


@pytest.mark.parametrize("width", [None, 25])
@pytest.mark.parametrize("way", WAYS)
def test_missing_pixels_are_never_taken_for_whole(engine: Engine, tmp_path: Path, way: str, width: int | None) -> None:
    """Cut anywhere: in each scan and between scans, in the middle of a restart interval and between two."""
    data = jpeg(**WAYS[way])
    first = data.index(b"\xff\xda")
    places = {*range(first, len(data) - 40, 397), len(data) - 40}
    places |= {match.start() for match in re.finditer(rb"\xff[\xc4\xd0-\xd7\xda]", data)}
    for place in sorted(places):
        (tmp_path / "cut.jpg").write_bytes(data[:place])
        with pytest.raises(BrokenImage):
            engine(tmp_path / "cut.jpg", width=width)


def test_parts_that_are_missing_are_filled_if_asked_for(engine: Engine, tmp_path: Path) -> None:
    data = jpeg((200, 160))
    whole = pixels(engine, tmp_path, data)
    got = pixels(engine, tmp_path, data[: len(data) // 2], truncated="fill")
    same = int(np.argmax((got != whole).any(axis=(1, 2))))
    assert 60 <= same <= 90
    assert np.abs(got[-20:] - 128).max() <= 1
    (warning,) = engine(tmp_path / "any.jpg", truncated="fill").only.warnings
    share = round(100 * same / 160)
    assert warning == f"The file is cut off: about {share} % of the rows are there, the rest is gray."


def test_a_progressive_picture_has_less_detail(engine: Engine, tmp_path: Path) -> None:
    data = jpeg((200, 160), progressive=True)
    whole = pixels(engine, tmp_path, data)
    got = pixels(engine, tmp_path, data[: len(data) * 2 // 3], truncated="fill")
    assert 0 < np.abs(got - whole).mean() < 20
    assert engine(tmp_path / "any.jpg", truncated="fill", quality=50).only.warnings == (LESS_DETAIL,)


def test_one_output_that_refuses_speaks_for_all(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(jpeg()[:-900])
    fills, refuses = {"name": "one", "truncated": "fill"}, {"name": "two"}
    assert len(engine(tmp_path / "cut.jpg", fills, {**fills, "name": "two"}).rendering.made) == 2
    with pytest.raises(BrokenImage):
        engine(tmp_path / "cut.jpg", fills, refuses)


def test_nothing_is_made_of_nothing(engine: Engine, tmp_path: Path) -> None:
    data = jpeg()
    for place in (data.index(b"\xff\xda"), data.index(b"\xff\xda") + 20, 30):
        (tmp_path / "cut.jpg").write_bytes(data[:place])
        with pytest.raises(BrokenImage):
            engine(tmp_path / "cut.jpg", truncated="fill")


def with_length(data: bytes, marker: int, change: int) -> bytes:
    """The file with a wrong length in its first segment of that kind."""
    at = data.index(bytes((0xFF, marker))) + 2
    length = int.from_bytes(data[at : at + 2], "big") + change
    return data[:at] + length.to_bytes(2, "big") + data[at + 2 :]


@pytest.mark.parametrize("change", [-14, -9, -5, -1, 1, 3, 40, 90, 300, 30_000])
@pytest.mark.parametrize("marker", [0xE0, 0xE1, 0xED, 0xEE, 0xFE])
@pytest.mark.parametrize("way", ["baseline", "progressive"])
def test_wrong_lengths_of_segments_lose_no_pixel(
    engine: Engine, tmp_path: Path, way: str, marker: int, change: int
) -> None:
    data = jpeg(**WAYS[way])
    wanted = pixels(engine, tmp_path, data)
    if marker != 0xE0:
        data = data[:2] + bytes((0xFF, marker, 0, 32)) + b"Some words of thirty letters.." + data[2:]
    wrong = with_length(data, marker, change)
    header = read_header(wrong, complete=True)
    assert header is not None
    assert (header.width, header.height) == (203, 117)
    assert np.array_equal(pixels(engine, tmp_path, wrong), wanted)


def test_a_short_segment_is_left_out_and_told(engine: Engine, tmp_path: Path) -> None:
    data = jpeg()
    data = data[:2] + b"\xff\xe0\x00\x07JFIF\x00" + data[20:]
    (tmp_path / "short.jpg").write_bytes(data)
    assert engine(tmp_path / "short.jpg", width=32).only.warnings == (LEFT_OUT,)
    (tmp_path / "short.jpg").write_bytes(data[:-2])
    assert engine(tmp_path / "short.jpg", width=32).only.warnings == (LEFT_OUT, ALL_THERE)


def test_the_picture_in_a_segment_is_not_taken_for_the_file(tmp_path: Path) -> None:
    """A thumbnail within EXIF whose length is wrong."""
    thumbnail = jpeg((24, 16))
    content = b"Exif\0\0" + thumbnail
    segment = b"\xff\xe1" + (len(content) + 2 + 5).to_bytes(2, "big") + content
    data = jpeg()
    header = read_header(data[:2] + segment + bytes(5) + b"\0\0" + data[2:], complete=True)
    assert header is not None
    assert (header.width, header.height) == (203, 117)


def frame(marker: int, *, bits: int = 8, colors: int = 3) -> bytes:
    content = bytes((bits, 0, 16, 0, 16, colors)) + bytes((1, 0x11, 0)) * colors
    return (
        b"\xff\xd8\xff" + bytes((marker,)) + (len(content) + 2).to_bytes(2, "big") + content + b"\xff\xda" + bytes(90)
    )


REFUSED = {
    "This JPEG has 12-bit samples, which are not supported.": frame(0xC1, bits=12),
    "This JPEG has 16-bit samples, which are not supported.": frame(0xC3, bits=16),
    "This JPEG is hierarchical, which is not supported.": frame(0xC5),
    "This is a JPEG-LS, which is not supported.": frame(0xF7),
    "This JPEG has 2 colors per pixel, which is not supported.": frame(0xC0, colors=2),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_read_is_refused_in_words(engine: Engine, tmp_path: Path, words: str) -> None:
    with pytest.raises(UnsupportedImage) as refusal:
        read_header(REFUSED[words], complete=False)
    assert refusal.value.detail == words
    (tmp_path / "strange.jpg").write_bytes(REFUSED[words])
    with pytest.raises(UnsupportedImage):
        engine(tmp_path / "strange.jpg")


@pytest.mark.parametrize(("name", "told"), [("jpeg_no_eoi.jpg", ALL_THERE), ("jpeg_short_jfif.jpg", LEFT_OUT)])
def test_reported_files(engine: Engine, corpus: Path, name: str, told: str) -> None:
    made = engine(corpus / "reported" / name, width=32).only
    assert (made.width, made.warnings) == (32, (told,))
