import os
from pathlib import Path

import pytest

from quickthumb.devredis.errors import RedisCannotStart
from quickthumb.devredis.folder import make_private


def test_it_is_made_with_its_parents_and_closed_to_others(tmp_path: Path) -> None:
    make_private(tmp_path / "data" / "redis")
    assert (tmp_path / "data" / "redis").stat().st_mode & 0o777 == 0o700


def test_one_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir(mode=0o755)
    make_private(tmp_path / "redis")
    assert (tmp_path / "redis").stat().st_mode & 0o777 == 0o700


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "redis").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RedisCannotStart, match="must be a folder of the user"):
        make_private(tmp_path / "redis")


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "redis").mkdir()
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    with pytest.raises(RedisCannotStart, match="must be a folder of the user"):
        make_private(tmp_path / "redis")


def test_a_place_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RedisCannotStart, match="cannot be used for Redis: "):
        make_private(tmp_path / "file" / "redis")
