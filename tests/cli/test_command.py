from pathlib import Path

import pytest

from quickthumb.cli.command import UserMistake, lock_data_folder


def test_a_second_user_is_refused_and_told_which_folder(tmp_path: Path) -> None:
    with (
        lock_data_folder(tmp_path),
        pytest.raises(UserMistake, match=f"already running on {tmp_path};"),
        lock_data_folder(tmp_path),
    ):
        pass
    with lock_data_folder(tmp_path):
        pass


def test_the_folder_is_made(tmp_path: Path) -> None:
    with lock_data_folder(tmp_path / "new" / "data"):
        assert (tmp_path / "new" / "data").is_dir()


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserMistake, match="Cannot use the data folder "), lock_data_folder(tmp_path / "file" / "data"):
        pass
