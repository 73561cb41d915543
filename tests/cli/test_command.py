import gc
import re
import subprocess
import sys
from pathlib import Path

import pytest

from quickthumb.cli import main
from quickthumb.cli.command import UserMistake, lock_data_folder
from quickthumb.cli.program import COMMANDS
from tests.conftest import CHECKOUT


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


def test_the_version_is_told_without_loading_any_command() -> None:
    words = [sys.executable, "-X", "importtime", "-m", "quickthumb", "--version"]
    ended = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("quickthumb ")
    assert not re.search(r"\b(pydantic|redis|uvicorn|PIL|httpx)\b", ended.stderr)


@pytest.mark.parametrize("command", ["keys", "up"])
def test_what_only_servers_need_is_not_loaded(command: str) -> None:
    words = [sys.executable, "-X", "importtime", "-m", "quickthumb", command, "--help"]
    ended = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith(f"usage: quickthumb {command}")
    assert not re.search(r"\b(starlette|uvicorn|PIL|httpx)\b", ended.stderr)


def test_each_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for name, meaning in COMMANDS.items():
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0
        assert gc.isenabled()
        assert meaning in " ".join(capsys.readouterr().out.split())
