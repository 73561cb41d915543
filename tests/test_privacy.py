"""What other users of the machine, and other processes of the same user, can see of a running service."""

import contextlib
import ctypes
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from quickthumb.config import Config
from quickthumb.config.secrecy import PR_GET_DUMPABLE
from quickthumb.wiring import private_process
from tests.conftest import http_client, picture, running_service
from tests.processes import is_alive
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web_process import running_web

SECRET = "hunter2-hunter2"
MAIL: Any = {"smtp_host": "127.0.0.1", "smtp_user": "robot", "smtp_password": SECRET}
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def entries(folder: Path) -> Iterator[tuple[str, int]]:
    """Every folder and file below a folder, with its permissions."""
    for path in (folder, *folder.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            yield str(path.relative_to(folder)), stat.S_IMODE(path.lstat().st_mode)


async def used(address: str) -> None:
    """Leaves something of every kind in the data folder: results, an outcome, a tombstone, an email."""
    async with http_client(address) as client:
        kept, removed = [await _uploaded(client) for _ in range(2)]
        (await client.delete(f"/jobs/{removed}")).raise_for_status()
        (await client.get("/send-email/someone@example.com")).raise_for_status()
        assert (await client.get(f"/jobs/{kept}")).json()["status"] == "DONE"


async def _uploaded(client: httpx.AsyncClient) -> str:
    answer = await client.post("/images/?wait=30", content=picture(), headers={"content-type": "image/jpeg"})
    answer.raise_for_status()
    return str(answer.json()["id"])


async def written_by_a_service(folder: Path) -> dict[str, int]:
    with running_service(folder) as address:
        await used(address)
        outbox = folder / "data" / "outbox"
        await wait_until(lambda: outbox.is_dir() and any(outbox.iterdir()), seconds=30)
        return dict(entries(folder / "data"))


async def test_nobody_else_may_read_what_a_service_writes(tmp_path: Path) -> None:
    found = await written_by_a_service(tmp_path)
    assert len(found) > 20
    assert [f"{mode:o} {name}" for name, mode in found.items() if mode & 0o077] == []


async def test_a_group_that_the_operator_has_admitted_stays_admitted(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o2770)
    found = await written_by_a_service(tmp_path)
    assert found.pop(".") == 0o2770
    private = {name: found.pop(name) for name in list(found) if name == "redis" or name.startswith("redis/")}
    assert private["redis"] & 0o077 == 0
    folders = {name: mode for name, mode in found.items() if (folder / name).is_dir()}
    assert set(folders.values()) == {0o2770}
    assert {mode for name, mode in found.items() if name not in folders} <= {0o660}


async def test_a_folder_that_is_open_to_everybody_is_told_of_and_left(public_path: Path) -> None:
    folder = public_path / "data"
    folder.mkdir()
    folder.chmod(0o755)
    found = await written_by_a_service(public_path)
    told = f"Every user of this machine may read {folder}; run `chmod o-rwx {folder}`."
    assert told in (public_path / "up.log").read_text()
    assert found.pop(".") == 0o755
    assert [f"{mode:o} {name}" for name, mode in found.items() if mode & 0o007] == []


def seen_of(process: psutil.Process) -> str:
    """What a process of the same user, or root, sees of another one: its variables and its command line."""
    proc = Path("/proc") / str(process.pid)
    return "".join((proc / name).read_text(errors="replace") for name in ("environ", "cmdline"))


async def assert_secret(processes: list[psutil.Process]) -> None:
    """None of the processes shows the secret, from the moment when it knows it."""
    for process in processes:

        def shows_no_secret(process: psutil.Process = process) -> bool:
            return SECRET not in seen_of(process)

        await wait_until(shows_no_secret, seconds=20)


def up_on(folder: Path) -> psutil.Process:
    """The `quickthumb up` that this test has started; another one may serve all tests."""
    (up,) = [child for child in psutil.Process().children() if str(folder / "data") in child.cmdline()]
    return up


@linux_only
async def test_no_process_of_a_service_shows_a_secret(tmp_path: Path) -> None:
    async with RedisServer(tmp_path / "elsewhere") as server:
        url = server.url.replace("unix://", f"unix://default:{SECRET}@")
        with running_service(tmp_path, "--workers", "2", redis_url=url, **MAIL) as address:
            up = up_on(tmp_path)
            family = [up, *up.children(recursive=True)]
            assert len(family) == 4
            await assert_secret(family)
            web = next(child for child in family if "serve" in child.cmdline())
            web.kill()  # its successor gets the secrets, too
            await wait_until(lambda: not is_alive(web), seconds=20)
            async with http_client(address) as client:
                await wait_until(lambda: _is_done(client), seconds=60)
            await assert_secret([up, *up.children(recursive=True)])


async def _is_done(client: httpx.AsyncClient) -> bool:
    try:
        return bool(await _uploaded(client))
    except httpx.HTTPError:
        return False


@linux_only
async def test_several_web_processes_get_the_secrets_and_show_none(tmp_path: Path) -> None:
    async with RedisServer(tmp_path / "elsewhere") as server:
        url = server.url.replace("unix://", f"unix://default:{SECRET}@")
        words = ("quickthumb", "serve", "--port", "0", "--workers", "2")
        async with running_web(tmp_path, url, words=words, **MAIL) as web:
            async with http_client(web.address) as client:
                await wait_until(lambda: _knows_redis(client), seconds=60)
            await assert_secret([web.process, *web.process.children(recursive=True)])


async def _knows_redis(client: httpx.AsyncClient) -> bool:
    try:
        return '"redis":"ok"' in (await client.get("/readyz")).text.replace(" ", "")
    except httpx.HTTPError:
        return False


@linux_only
async def test_the_embedded_redis_gets_no_secrets(tmp_path: Path) -> None:
    with running_service(tmp_path, **MAIL) as address:
        up = up_on(tmp_path)
        family = [up, *up.children(recursive=True)]
        assert any("unixsocket" in " ".join(child.cmdline()) for child in family)
        await assert_secret(family)
        async with http_client(address) as client:
            assert await _is_done(client)


@linux_only
def test_a_process_is_closed_in_both_ways(tmp_path: Path) -> None:
    prctl = ctypes.CDLL(None).prctl
    before = os.umask(0o022)
    try:
        with private_process(Config.of(data_dir=tmp_path / "data")):
            assert prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0
            assert os.umask(0o077) == 0o077
        assert os.umask(before) == 0o022
    finally:
        os.umask(before)
