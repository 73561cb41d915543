"""`quickthumb keys`, and who may start a server without keys."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from quickthumb.model.api_key import id_in
from quickthumb.storage.layout import STORE
from tests import commands
from tests.conftest import clean_environment

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Run:
    """Runs a command on the data folder of the test."""

    def run(*words: str, **settings: object) -> "subprocess.CompletedProcess[str]":
        return commands.run(words, clean_environment(data_dir=data, **settings), tmp_path)

    return run


def made(run: Run, *options: str) -> str:
    """The text of a key that was made just now."""
    ended = run("keys", "create", *options)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def listed(run: Run) -> list[str]:
    return run("keys", "list").stdout.splitlines()


def test_a_key_is_shown_once_and_kept_hashed(run: Run, data: Path) -> None:
    ended = run(
        "keys", "create", "--tenant", "shop", "--scope", "images:write", "--scope", "jobs:read", "--note", "web"
    )
    text = ended.stdout.strip()
    key_id = id_in(text)
    assert key_id is not None
    only_once, is_new = ended.stderr.splitlines()
    assert only_once == f"This is the only time that the key {key_id} is shown."
    assert is_new == f"The data folder {data} is new; only a service with it knows the key."
    assert listed(run) == [f"{key_id}  shop  images:write,jobs:read  valid  web"]
    (kept,) = [path for path in (data / "keys").iterdir() if path.is_file()]
    assert text[16:] not in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0
    assert (data / STORE).exists()
    (shown,) = json.loads(run("keys", "list", "--json").stdout)
    assert shown["tenant"] == "shop"
    assert "digest" not in shown


def test_a_folder_that_is_misspelt_is_not_made(run: Run, data: Path) -> None:
    for words in (["list"], ["list", "--json"], ["revoke", "000000000000"], ["rotate", "000000000000"]):
        ended = run("keys", *words)
        assert "Traceback" not in ended.stderr
        assert ended.stdout in ("", "[]\n")
        assert not data.exists()
    assert run("keys", "list").stderr == "The data folder (DATA_DIR) has no API keys.\n"


def test_a_key_is_revoked_and_another_takes_its_place(run: Run) -> None:
    old = id_in(made(run, "--scope", "admin"))
    new = id_in(run("keys", "rotate", str(old), "--overlap", "2h").stdout.strip())
    assert re.match(rf"{old}  default  admin  valid until \S+Z$", listed(run)[0])
    assert listed(run)[1] == f"{new}  default  admin  valid"
    assert run("keys", "revoke", str(old), str(new)).returncode == 0
    assert [line.split()[3] for line in listed(run)] == ["revoked", "revoked"]
    again = run("keys", "rotate", str(old))
    assert (again.returncode, again.stderr) == (1, f"quickthumb: The key {old} has ended; make a new one.\n")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root writes into the folders of others")
@pytest.mark.parametrize(("user", "named"), [(1, "-u daemon"), (61234, "-u '#61234'")])
def test_only_the_user_of_the_data_folder_changes_keys(run: Run, data: Path, user: int, named: str) -> None:
    """The service could not read what another one writes, and would go on to accept a key that is revoked."""
    key_id = str(id_in(made(run, "--scope", "admin")))
    os.chown(data / STORE, user, user)
    for words in (["revoke", key_id], ["rotate", key_id], ["create", "--scope", "admin"]):
        ended = run("keys", *words)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert f"`sudo {named}`" in ended.stderr
    assert len(listed(run)) == 1


def test_a_key_bounds_what_is_done_with_it(run: Run) -> None:
    presets = {"presets": '{"card": [{"width": 600}]}', "tenants": '{"shop": {"presets": {"avatar": [{"width": 9}]}}}'}
    words = ["--tenant", "shop", "--scope", "images:write", "--preset", "avatar", "--preset", "card"]
    ended = run(
        "keys", "create", *words, "--max-bytes", "5MB", "--requests-per-minute", "60", "--note", "web", **presets
    )
    assert ended.returncode == 0, ended.stderr
    bounded = "presets=avatar+card,max_bytes=5000000,requests_per_minute=60"
    assert listed(run)[0].split("  ")[1:] == ["shop", "images:write", "valid", bounded, "web"]
    run("keys", "rotate", listed(run)[0].split()[0])
    for key in json.loads(run("keys", "list", "--json").stdout):
        assert (key["bounds"]["presets"], key["bounds"]["max_bytes"]) == (["avatar", "card"], 5_000_000)
        assert key["quotas"]["requests_per_minute"] == 60
    others = run("keys", "create", "--tenant", "gallery", "--scope", "images:write", "--preset", "avatar", **presets)
    assert (others.returncode, others.stdout) == (1, "")
    assert others.stderr == (
        "quickthumb: The tenant gallery has no preset 'avatar'; its presets are "
        "thumbnail, square-32-64, gray-blur, card.\n"
    )


def test_a_key_can_end_by_itself(run: Run) -> None:
    made(run, "--scope", "admin", "--expires", "90d")
    assert "  valid until " in listed(run)[0]
    made(run, "--scope", "admin", "--expires", "0s")
    assert "  expired " in listed(run)[1]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["keys"], 2, "VERB"),
        (["keys", "create"], 2, "--scope"),
        (["keys", "create", "--scope", "everything"], 2, "the scopes are images:write, jobs:read"),
        (["keys", "create", "--scope", "admin", "--note", "a\x1b[2Jb"], 2, "printable"),
        (["keys", "create", "--scope", "admin", "--tenant", "a/b"], 2, "lower-case letters"),
        (["keys", "create", "--scope", "admin", "--expires", "soon"], 2, "not a time such as"),
        (["keys", "create", "--scope", "admin", "--max-bytes", "much"], 2, "not a size such as"),
        (["keys", "create", "--scope", "admin", "--max-outputs", "0"], 2, "not a whole number from 1 on"),
        (["keys", "create", "--scope", "admin", "--preset", "avatar"], 1, "The tenant default has no preset 'avatar'"),
        (["keys", "revoke", "000000000000"], 1, "There is no key 000000000000"),
    ],
)
def test_a_mistake_is_told_in_words(run: Run, words: list[str], code: int, told: str) -> None:
    ended = run(*words)
    assert ended.returncode == code
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["serve", "up"])
def test_without_keys_no_server_that_others_reach_is_started(run: Run, command: str) -> None:
    ended = run(command, "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - it refuses to
    assert (ended.returncode, ended.stdout) == (1, "")
    (sentence,) = ended.stderr.splitlines()
    assert "HOST is 0.0.0.0" in sentence
    assert "quickthumb keys create" in sentence
    assert "OPEN_ACCESS=yes" in sentence


def found_by_doctor(run: Run, subject: str = "keys", **settings: object) -> str:
    lines = [line for line in run("doctor", **settings).stdout.splitlines() if line.split()[1] == subject]
    return " ".join("; ".join(lines).split())


def test_the_doctor_says_who_is_let_in(run: Run) -> None:
    assert found_by_doctor(run) == ""
    assert found_by_doctor(run, host="0.0.0.0").startswith("FAIL keys HOST is 0.0.0.0")  # noqa: S104 - nothing listens
    assert found_by_doctor(run, open_access="yes").startswith("warn keys There is no API key")
    key_id = str(id_in(made(run, "--scope", "admin")))
    made(run, "--scope", "admin", "--expires", "0s")
    assert found_by_doctor(run, open_access="yes") == "ok keys 1 valid, 1 ended."
    run("keys", "revoke", key_id)
    assert found_by_doctor(run).startswith("warn keys No API key is valid")


def test_the_doctor_counts_keys_that_cannot_be_read(run: Run, data: Path) -> None:
    made(run, "--scope", "admin")
    (data / "keys" / "notes.txt").write_text("a")
    (data / "keys" / "AAAAAAAAAAAA.json").write_text("{")
    told = found_by_doctor(run)
    assert told.startswith("ok keys 1 valid, 0 ended.; warn keys 2 of the files in ")
    assert "cannot be read" in told
    (data / "keys" / f"{id_in(made(run, '--scope', 'admin'))}.ends.0123456789abcdef.json").write_text("")
    told = found_by_doctor(run)
    assert told.startswith("ok keys 1 valid, 1 ended.; warn keys 3 of the files in ")
    assert "  revoked 2" in listed(run)[1]


def test_a_wrong_setting_is_told_in_our_words(run: Run) -> None:
    told = run("keys", "list", root_path="/a b").stderr
    assert "ROOT_PATH (from the environment): must be a path" in told


def test_the_doctor_says_which_keys_and_tenants_cannot_be_used(run: Run) -> None:
    tenants = '{"shop": {"presets": {"avatar": [{"width": 9}]}}, "default": {}, "old": {}}'
    told = found_by_doctor(run, tenants=tenants, compat_tenant="old", subject="tenants")
    assert told.startswith("warn tenants TENANTS has an entry for shop, which has no key")
    assert told.count("TENANTS") == 1
    made(run, "--tenant", "gallery", "--scope", "admin", "--expires", "0s")
    words = ["--tenant", "shop", "--scope", "admin", "--preset", "avatar"]
    key_id = id_in(run("keys", "create", *words, tenants=tenants).stdout.strip())
    assert found_by_doctor(run, tenants=tenants) == (
        "ok keys 1 valid, 1 ended.; warn keys All keys of the tenant gallery have ended; make one with "
        "`quickthumb keys create --tenant gallery`."
    )
    assert "an entry for default, which has no key" in found_by_doctor(run, tenants=tenants, subject="tenants")
    gone = found_by_doctor(run)
    assert f"warn keys The key {key_id} of the tenant shop names presets that do not exist: avatar;" in gone
    made(run, "--tenant", "gallery", "--scope", "admin")
    assert "gallery" not in found_by_doctor(run)
