"""`quickthumb doctor`, against real servers and folders in every condition."""

import json
import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb.cli import doctor, machine
from quickthumb.config import Config
from quickthumb.queue.connection import connect
from quickthumb.queue.inspection import RedisFacts, inspect
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import Keys
from quickthumb.sandbox import landlock, syscalls
from tests.cli.test_program import quickthumb
from tests.redis_fixtures import redis, redis_url, shared_redis
from tests.redis_server import RedisServer

__all__ = ["redis", "redis_url", "shared_redis"]

STORE_ID = "5" * 32


def a_folder(path: Path) -> Path:
    path.mkdir(mode=0o700)
    (path / "store.json").write_text(json.dumps({"id": STORE_ID, "version": 1}))
    return path


def findings(ended: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The level of each check; each is one line that ends as a sentence."""
    assert ended.stderr == ""
    lines = ended.stdout.splitlines()
    assert all(line.endswith((".", "?")) for line in lines), lines
    return {line.split()[1]: line.split()[0] for line in lines}


async def examined(folder: Path, url: str, **settings: object) -> dict[str, str]:
    """The same in this process: the level of each check of Redis and of the folder."""
    config = Config.of(data_dir=folder, redis_url=url, **settings)
    found = [*machine.folder(config), *await doctor._redis(config)]
    assert all(finding.sentence.endswith(".") for finding in found)
    return {finding.subject: finding.level for finding in found}


async def test_all_is_well(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "data")
    async with RedisServer(tmp_path) as server:
        async with connect(server.url, Redis, attempts=1, answer_seconds=3.0) as client:
            await JobStore(client, retention_seconds=60).heartbeat("worker")
        found = await examined(folder, server.url)
    subjects = ["folder", "space", "redis", "rights", "eviction", "persistence", "clock", "identity", "workers"]
    assert found == dict.fromkeys(subjects, "ok")
    assert list(found) == subjects


@pytest.mark.parametrize(
    ("settings", "level", "told"),
    [
        ({}, None, ""),
        ({"host": "0.0.0.0"}, "ok", "IP addresses, localhost (ALLOWED_HOSTS)"),  # noqa: S104 - nothing listens
        ({"allowed_hosts": "images.example.org,*.cdn.test"}, "ok", "localhost, images.example.org, *.cdn.test"),
        ({"allowed_hosts": "*"}, "warn", "any host"),
    ],
)
def test_it_says_which_hosts_are_allowed(settings: dict[str, str], level: str | None, told: str) -> None:
    ended = quickthumb("doctor", **{f"QUICKTHUMB_{name.upper()}": value for name, value in settings.items()})
    assert findings(ended).get("hosts") == level
    assert told in ended.stdout


def test_it_warns_of_originals_with_their_places() -> None:
    ended = quickthumb("doctor", QUICKTHUMB_ORIGINAL_METADATA="keep")
    assert findings(ended)["originals"] == "warn"
    assert "(ORIGINAL_METADATA)" in ended.stdout
    assert "originals" not in findings(quickthumb("doctor"))


def test_each_failure_is_one_line(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    url = "redis://user:secret@127.0.0.1:1"
    ended = quickthumb("doctor", QUICKTHUMB_DATA_DIR=missing, QUICKTHUMB_REDIS_URL=url)
    assert findings(ended) == {"settings": "ok", "folder": "FAIL", "sandbox": machine.sandbox().level, "redis": "FAIL"}
    assert ended.returncode == 1
    assert "secret" not in ended.stdout
    ended = quickthumb("doctor", QUICKTHUMB_MAX_PIXEL="5")
    assert (findings(ended), ended.returncode) == ({"settings": "FAIL"}, 1)
    assert "MAX_PIXELS?" in ended.stdout


async def test_a_redis_that_is_not_there(tmp_path: Path) -> None:
    for url in (f"unix://{tmp_path}/none", "redis://no-such-host.invalid:6379"):
        assert (await examined(a_folder(tmp_path / url[:5]), url))["redis"] == "FAIL"


async def test_a_redis_that_may_lose_jobs(tmp_path: Path, redis_url: str, redis: Redis) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    await redis.config_set("appendonly", "no")
    try:
        found = await examined(a_folder(tmp_path / "data"), redis_url)
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")
        await redis.config_set("appendonly", "yes")
    expected = {"eviction": "FAIL", "persistence": "warn", "workers": "FAIL", "redis": "ok"}
    assert expected.items() <= found.items()


async def test_a_user_without_all_rights(tmp_path: Path, redis_url: str, redis: Redis) -> None:
    folder = a_folder(tmp_path / "data")
    rules = ["on", ">pw", "~*", "&*", "+@all", "-xadd", "-config"]
    await redis.execute_command("ACL", "SETUSER", "weak", *rules)  # type: ignore[no-untyped-call]
    try:
        socket_path = redis_url.removeprefix("unix://")
        url = f"unix://weak:pw@{socket_path}"
        config = Config.of(data_dir=folder, redis_url=url)
        (rights,) = [finding for finding in await doctor._redis(config) if finding.subject == "rights"]
        assert (rights.level, "may not run: XADD;" in rights.sentence) == ("FAIL", True)
        (refused,) = await doctor._redis(Config.of(data_dir=folder, redis_url=url.replace(":pw@", ":wrong@")))
        assert (refused.level, refused.subject) == ("FAIL", "redis")
        assert "invalid username-password pair" in refused.sentence
        assert "wrong" not in refused.sentence
    finally:
        await redis.acl_deluser("weak")


async def test_the_folder_of_another_redis(tmp_path: Path, redis_url: str, redis: Redis) -> None:
    folder = a_folder(tmp_path / "data")
    await redis.set("quickthumb:storage", STORE_ID)
    assert (await examined(folder, redis_url))["identity"] == "ok"
    await redis.set("quickthumb:storage", "6" * 32)
    assert (await examined(folder, redis_url))["identity"] == "FAIL"
    (folder / "store.json").unlink()
    assert (await examined(folder, redis_url))["identity"] == "FAIL"
    (folder / "store.json").write_text("{")
    assert (await examined(folder, redis_url))["identity"] == "FAIL"


async def test_folders_that_are_not_as_they_should_be(public_path: Path) -> None:
    nowhere = f"unix://{public_path}/none"
    folder = a_folder(public_path / "data")
    assert (await examined(folder, nowhere, min_free_bytes=2**62))["space"] == "FAIL"
    for mode in (0o777, 0o755, 0o711):
        folder.chmod(mode)
        assert (await examined(folder, nowhere))["folder"] == "warn"
    for mode in (0o700, 0o750, 0o770):
        folder.chmod(mode)
        assert (await examined(folder, nowhere))["folder"] == "ok"
    folder.chmod(0o777)
    public_path.chmod(0o700)
    assert (await examined(folder, nowhere))["folder"] == "ok"
    assert (await examined(folder / "store.json", nowhere))["folder"] == "FAIL"


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may write everywhere")
async def test_a_folder_of_another_user(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "data")
    folder.chmod(0o555)
    assert (await examined(folder, f"unix://{tmp_path}/none"))["folder"] == "FAIL"


async def test_a_server_that_is_no_redis(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.listen()
        url = f"redis://127.0.0.1:{server.getsockname()[1]}"
        doctor_seconds, doctor.ANSWER_SECONDS = doctor.ANSWER_SECONDS, 0.3
        try:
            assert (await examined(a_folder(tmp_path / "data"), url))["redis"] == "FAIL"
        finally:
            doctor.ANSWER_SECONDS = doctor_seconds


@pytest.mark.parametrize(
    ("version", "filters", "level", "lacks"),
    [
        (7, True, "ok", ""),
        (0, True, "warn", "no Landlock:"),
        (7, False, "warn", "no filters of system calls:"),
        (0, False, "warn", "no Landlock and filters of system calls:"),
    ],
)
def test_what_confines_a_sandbox_process(
    monkeypatch: pytest.MonkeyPatch, version: int, filters: bool, level: str, lacks: str
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: version)
    monkeypatch.setattr(syscalls, "is_available", lambda: filters)
    found = machine.sandbox()
    assert (found.level, lacks in found.sentence) == (level, True)


async def test_a_server_with_a_known_flaw(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = a_folder(tmp_path / "data")

    async def old(redis: Redis, keys: Keys) -> RedisFacts:
        return replace(await inspect(redis, keys), valkey_version="8.1.3")

    assert (await examined(folder, redis_url))["redis"] == "ok"
    monkeypatch.setattr(doctor, "inspect", old)
    found = await doctor._redis(Config.of(data_dir=folder, redis_url=redis_url))
    (server,) = [finding for finding in found if finding.subject == "redis"]
    assert server.level == "warn"
    assert server.sentence.startswith("Valkey 8.1.3 at ")
    assert "install Valkey 8.1.7 or newer" in server.sentence


@pytest.mark.parametrize(
    ("mode", "variables", "level"),
    [
        (0o644, {}, "warn"),
        (0o640, {}, "ok"),
        (0o644, {"QUICKTHUMB_SMTP_PASSWORD": "other"}, "ok"),
        (0o644, {"QUICKTHUMB_SMTP_PASSWORD_FILE": "/run/secrets/smtp"}, "ok"),
    ],
)
def test_a_settings_file_with_a_secret_that_everybody_may_read(
    public_path: Path, mode: int, variables: dict[str, str], level: str
) -> None:
    path = public_path / "settings.py"
    path.write_text("SMTP_PASSWORD = 'secret'")
    path.chmod(mode)
    environment = {"QUICKTHUMB_SETTINGS": str(path), **variables}
    found = machine.settings(Config.of(smtp_user="robot", smtp_password="secret"), environment)
    assert found.level == level
    assert machine.settings(Config(), environment).level == "ok"
    public_path.chmod(0o700)
    assert machine.settings(Config.of(smtp_user="robot", smtp_password="secret"), environment).level == "ok"
