"""The files of results: how many bytes a job may make, and what must stay free on the disk."""

import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from quickthumb.imaging.engine import render
from quickthumb.imaging.files import NoRoom, ResultFiles, room_for
from quickthumb.model.errors import ResultsTooLarge
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from tests.imaging.pictures import noise


def disk_with(free_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk whose free space does not change by itself."""
    usage = shutil.disk_usage("/")._replace(free=free_bytes)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


def test_all_files_together_are_bounded(tmp_path: Path) -> None:
    made = ResultFiles(tmp_path, Limits(max_result_bytes=100))
    made.write("small", "small.png", BytesIO(bytes(40)), 40)
    made.write("large", "large.png", BytesIO(bytes(60)), 60)
    with pytest.raises(ResultsTooLarge) as refused:
        made.write("last", "last.png", BytesIO(b"x"), 1)
    assert refused.value.detail == (
        "With the output last, the results take 101 bytes; the results of a job may take 100 (MAX_RESULT_BYTES)."
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large.png", "small.png"]


def test_the_engine_writes_no_more_than_it_may(tmp_path: Path) -> None:
    noise(300, 200).save(tmp_path / "source.jpg", quality=10)
    outputs = [Output.model_validate({"name": name, "width": 300, "format": "png"}) for name in ("one", "two")]
    (tmp_path / "made").mkdir()
    with pytest.raises(ResultsTooLarge, match="With the output two, "):
        render(tmp_path / "source.jpg", outputs, tmp_path / "made", Limits(max_result_bytes=150_000))
    assert sum(path.stat().st_size for path in (tmp_path / "made").iterdir()) <= 150_000


@pytest.mark.parametrize(("total_bytes", "room_bytes"), [(0, 100), (10, 120), (200, 500), (10_000, 10_300)])
def test_the_more_results_take_the_more_they_leave(total_bytes: int, room_bytes: int) -> None:
    assert room_for(total_bytes, spare_bytes=100) == room_bytes


def test_what_must_stay_free_stays_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk_with(1000, monkeypatch)
    made = ResultFiles(tmp_path, Limits(spare_bytes=800))
    made.write("small", "small.png", BytesIO(bytes(100)), 100)
    # The first 100 bytes are no longer free; 800 + 151 must be left.
    with pytest.raises(NoRoom) as refused:
        made.write("large", "large.png", BytesIO(bytes(51)), 51)
    assert refused.value.needed_bytes == 151
    assert [path.name for path in tmp_path.iterdir()] == ["small.png"]
    made.write("another", "another.png", BytesIO(bytes(50)), 50)


class Meanwhile(BytesIO):
    """Content during whose copying another rendering writes a file."""

    def __init__(self, content: bytes, write: Callable[[], None]) -> None:
        super().__init__(content)
        self._write = write

    def read(self, size: int | None = -1, /) -> bytes:
        self._write()
        return super().read(size)


def test_renderings_side_by_side_leave_as_much_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk_with(1000, monkeypatch)
    one, other = (ResultFiles(tmp_path, Limits(spare_bytes=800)) for _ in range(2))

    def write_meanwhile() -> None:
        with pytest.raises(NoRoom):
            other.write("other", "other.png", BytesIO(bytes(80)), 80)

    # Each alone would fit: 800 + 2 * 80 must be free.
    one.write("one", "one.png", Meanwhile(bytes(80), write_meanwhile), 80)
    assert [path.name for path in tmp_path.iterdir()] == ["one.png"]
    other.write("other", "other.png", BytesIO(bytes(80)), 80)


def test_nothing_is_decoded_while_there_is_no_room_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk_with(1000, monkeypatch)
    with pytest.raises(NoRoom):
        render(tmp_path / "never opened", [Output(width=10)], tmp_path, Limits(spare_bytes=1001))
