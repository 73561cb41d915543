"""The engine calls a checkpoint at every step; the checkpoint can stop the rendering by raising."""

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from quickthumb.imaging.engine import render
from quickthumb.model.output import parse_output
from tests.imaging.conftest import LIMITS
from tests.imaging.pictures import noise

STEPS = 7  # cutting, and those of the pipeline's list

needs_descriptors = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")


class Stopped(Exception):
    """Raised by a checkpoint."""


class StopAt:
    """Raises at its n-th call."""

    def __init__(self, last: int, error: BaseException | None = None) -> None:
        self.calls = 0
        self._last = last
        self._error = error or Stopped()

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == self._last:
            raise self._error


def still(folder: Path) -> Path:
    path = folder / "still.jpg"
    noise(160, 120).save(path)
    return path


def animation(folder: Path) -> Path:
    path = folder / "moving.gif"
    frames = [noise(40, 32, seed=seed) for seed in range(4)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=80)
    return path


def calls(source: Path, folder: Path, *wanted: dict[str, Any], last: int = 0) -> int:
    """How often a rendering calls its checkpoint."""
    checkpoint = StopAt(last)
    render(source, [parse_output(output) for output in wanted], folder, LIMITS, checkpoint)
    return checkpoint.calls


def test_it_is_asked_before_each_frame_step_and_encoding(tmp_path: Path) -> None:
    one = {"name": "one", "width": 50, "format": "webp"}
    other = {"name": "other", "width": 30, "format": "png"}
    assert calls(still(tmp_path), tmp_path, one) == 1 + STEPS + 1
    assert calls(still(tmp_path), tmp_path, one, other) == 1 + 2 * (STEPS + 1)
    assert calls(animation(tmp_path), tmp_path, one, other) == 4 * (1 + 2 * STEPS) + 2


def test_it_is_asked_between_the_encodings_that_max_bytes_takes(tmp_path: Path) -> None:
    output = {"width": 100, "format": "jpeg"}
    assert (
        calls(still(tmp_path), tmp_path, {**output, "max_bytes": 1500}) >= calls(still(tmp_path), tmp_path, output) + 4
    )


def test_it_is_asked_before_each_frame_gets_its_palette(tmp_path: Path) -> None:
    assert calls(animation(tmp_path), tmp_path, {"format": "gif"}) == 4 * (1 + STEPS) + 4 + 1


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@needs_descriptors
@pytest.mark.parametrize("made", [still, animation])
def test_it_stops_at_any_call_and_leaves_nothing_open(tmp_path: Path, made: Callable[[Path], Path]) -> None:
    source, folder = made(tmp_path), tmp_path / "made"
    folder.mkdir()
    wanted: list[dict[str, Any]] = [
        {"name": "one", "width": 30, "max_bytes": 1200, "format": "webp"},
        {"name": "two", "format": "gif"},
    ]
    outputs = [parse_output(output) for output in wanted]
    total = calls(source, folder, *wanted)
    before = open_files()
    for last in range(1, total + 1):
        checkpoint = StopAt(last)
        with pytest.raises(Stopped):
            render(source, outputs, folder, LIMITS, checkpoint)
        assert checkpoint.calls == last
    gc.collect()
    assert open_files() == before
    for path in folder.iterdir():  # every file that exists is complete
        with Image.open(path) as image:
            image.load()


@pytest.mark.parametrize("error", [Stopped(), ValueError(), OSError("without a number"), SyntaxError(), SystemExit()])
def test_what_it_raises_comes_out_as_it_is(tmp_path: Path, error: BaseException) -> None:
    source = animation(tmp_path)
    for last in (1, 2, 9, 10, 30):
        with pytest.raises(type(error)) as raised:
            render(source, [parse_output({"format": "gif"})], tmp_path, LIMITS, StopAt(last, error))
        assert raised.value is error
    assert sys.exc_info() == (None, None, None)
