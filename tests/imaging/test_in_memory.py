"""Small files in memory: a source that is read at once, and results that are encoded without a file of the system."""

from io import FileIO
from pathlib import Path, PosixPath
from typing import Any

import pytest
from PIL import Image

from quickthumb.imaging import decoders, scratch
from quickthumb.imaging.engine import render
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from tests.imaging.conftest import Engine
from tests.imaging.pictures import noise, quadrants


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    noise(300, 200).save(tmp_path / "photo.jpg")
    return tmp_path / "photo.jpg"


@pytest.mark.parametrize("cut_off", [False, True])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_small_source_is_decoded_like_a_large_one(
    cut_off: bool, progressive: bool, engine: Engine, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise(300, 200).save(photo, progressive=progressive)
    if cut_off:
        photo.write_bytes(photo.read_bytes()[:-9000])
    small = engine(photo, width=90, truncated="fill")
    content = small.path().read_bytes()
    monkeypatch.setattr(decoders, "SMALL_BYTES", 0)
    large = engine(photo, width=90, truncated="fill")
    assert large.rendering == small.rendering
    assert large.path().read_bytes() == content


def test_a_small_jpeg_is_read_before_it_is_decoded(photo: Path, tmp_path: Path) -> None:
    """What overwrites the file afterwards does not show."""

    def overwrite(*_: object) -> None:
        photo.write_bytes(b"another file")

    (made,) = render(photo, [Output(width=30)], tmp_path, Limits(), admit=overwrite).made
    with Image.open(tmp_path / made.filename) as picture:
        assert picture.size == (30, 20)


class SlowFile(FileIO):
    """A file of a file system that reads less than it is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(1000 if size is None or size < 0 else min(size, 1000))


class SlowPath(PosixPath):
    def open(self, *_: Any, **__: Any) -> SlowFile:  # type: ignore[override]
        return SlowFile(self)


def test_all_of_a_small_source_is_read(photo: Path) -> None:
    assert photo.stat().st_size > 1000
    with decoders.opened(SlowPath(photo), Limits()) as image:
        assert image.load()


@pytest.mark.parametrize(
    "parameters",
    [
        {"format": "jpeg"},
        {"format": "jpeg", "max_bytes": 1500},
        {"format": "png"},
        {"format": "webp"},
        {"format": "webp", "lossless": True},
        {"format": "avif"},
        {"format": "gif"},
    ],
)
def test_a_small_result_is_encoded_like_a_large_one(
    parameters: dict[str, Any], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = engine(quadrants(120, 90), width=60, **parameters)
    content = small.path().read_bytes()
    monkeypatch.setattr(scratch, "SMALL_PIXELS", 0)
    large = engine(quadrants(120, 90), width=60, **parameters)
    assert large.rendering == small.rendering
    assert large.path().read_bytes() == content


def test_only_small_pictures_are_encoded_while_the_gil_is_held() -> None:
    for pixels, has_descriptor in ((scratch.SMALL_PIXELS, False), (scratch.SMALL_PIXELS + 1, True), (None, True)):
        with scratch.scratch(pixels) as file:
            file.write(b"content")
            file.flush()
            assert scratch.length_of(file) == 7
            assert hasattr(file, "raw") is has_descriptor
