"""Web and workers that do not see the same storage, or cannot use it: nothing is lost, and the log names the cause."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from tests.conftest import picture
from tests.test_processes import SERVE, WORKER, Program, Site, ended, site, status, upload
from tests.waiting import wait_until

__all__ = ["site"]


async def checks(web: httpx.AsyncClient) -> dict[str, str]:
    answer = await web.get("/readyz")
    assert answer.status_code == (200 if answer.json().get("status") == "ready" else 503)
    found: dict[str, str] = answer.json()["checks"]
    return found


async def becomes(web: httpx.AsyncClient, check: str, *, ok: bool) -> str:
    """What /readyz says of a check, once that is or is not ok."""
    found: dict[str, str] = {}

    async def is_so() -> bool:
        found.update(await checks(web))
        return (found[check] == "ok") is ok

    await wait_until(is_so, seconds=20)
    return found[check]


async def refusal(web: httpx.AsyncClient) -> tuple[int, str]:
    answer = await web.post("/images/", files={"image": ("a picture", picture())})
    assert "/" not in answer.json()["detail"]
    return answer.status_code, answer.json()["code"]


def id_of(data: Path) -> str:
    return str(json.loads((data / "store.json").read_bytes())["id"])


def told(program: Program, text: str) -> int:
    """In how many lines of its log it said this."""
    return sum(text in line for line in program.said.splitlines())


async def test_a_web_and_a_worker_started_in_two_working_directories(site: Site) -> None:
    one, other = site.folder / "one", site.folder / "other"
    one.mkdir()
    other.mkdir()
    async with await site.web(folder=one, data_dir="data") as web:
        jobs = [await upload(web, picture()) for _ in range(5)]
        stray = await site.start(*WORKER, folder=other, data_dir="data")
        assert await stray.exit_code() == 1
        assert f"quickthumb: the data folder {other / 'data'} has no id (no store.json)" in stray.said
        assert id_of(one / "data") in stray.said
        assert "--adopt-storage" in stray.said
        assert "Traceback" not in stray.said
        assert {await status(web, job_id) for job_id in jobs} == {"WAITING"}
        assert not (other / "data").exists()
        await site.worker(folder=one, data_dir="data")
        assert [(await ended(web, job_id))["status"] for job_id in jobs] == ["DONE"] * 5

    # The same with the web in the other directory: it starts, but takes nothing in until its storage is the right one.
    stray = await site.start(*SERVE, folder=other, data_dir="data")
    async with await site.client_of(stray) as web:
        assert await refusal(web) == (503, "wrong_storage")
        assert "storage" in (await checks(web))["disk"]
        assert told(stray, f"the data folder {other / 'data'} has no id") >= 1
        refused = await site.start("quickthumb", "recover", folder=other, data_dir="data")
        assert await refused.exit_code() == 1
        assert str(other / "data") in refused.said
        adopting = await site.start("quickthumb", "recover", "--adopt-storage", folder=other, data_dir="data")
        assert await adopting.exit_code() == 0, adopting.said
        assert f"(Redis: {site.redis.url.removeprefix('unix://')}, data folder: {other / 'data'})" in adopting.said
        await becomes(web, "disk", ok=True)
        await upload(web, picture())
        # The worker that is now the wrong one takes nothing.
        assert "No worker is able" in await becomes(web, "workers", ok=False)


async def test_a_volume_that_goes_away_and_comes_back(site: Site) -> None:
    web_process = await site.start(*SERVE)
    worker = await site.worker()
    away = site.folder / "away"
    async with await site.client_of(web_process) as web:
        await ended(web, await upload(web, picture()))
        identity = id_of(site.data)
        worker.send(signal.SIGSTOP)
        jobs = [await upload(web, picture()) for _ in range(3)]
        site.data.rename(away)
        assert await refusal(web) == (503, "wrong_storage")
        answer = await web.get(f"/jobs/{jobs[0]}/original")
        assert (answer.status_code, answer.json()["code"]) == (503, "wrong_storage")
        worker.send(signal.SIGCONT)
        await worker.says("cannot use its storage")
        assert "No worker is able" in await becomes(web, "workers", ok=False)
        assert await becomes(web, "disk", ok=False)
        for process in (web_process, worker):
            assert told(process, "cannot use its storage") == 1
            assert f"the data folder {site.data} has no id" in process.said
            assert identity in process.said
        await wait_until(lambda: _no_health_line(site), seconds=20)
        assert await (await site.start(*WORKER, "--check")).exit_code() == 1
        assert {await status(web, job_id) for job_id in jobs} <= {"WAITING", "IN_PROGRESS"}
        # Nothing made the folder anew, or the volume could not come back.
        assert not site.data.exists()
        away.rename(site.data)
        assert [(await ended(web, job_id, 40))["status"] for job_id in jobs] == ["DONE"] * 3
        await becomes(web, "workers", ok=True)
        await becomes(web, "disk", ok=True)
        for process in (web_process, worker):
            assert told(process, "can use its storage") == 1
        assert not worker.ended


async def _no_health_line(site: Site) -> bool:
    async with Redis.from_url(site.redis.url) as redis:
        return not await redis.keys("*:alive:*")


@pytest.fixture
def bounds() -> tuple[str, ...]:
    """Words before a command that make the modes of files count, for root too."""
    if os.geteuid() != 0:
        return ()
    words = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    if shutil.which(words[0]) is None or subprocess.run([*words, "true"], check=False).returncode != 0:
        pytest.skip("needs setpriv, to drop root's right to write everywhere")
    return words


async def test_a_worker_that_may_not_write_names_the_folder_and_the_reason(site: Site, bounds: tuple[str, ...]) -> None:
    site.data.mkdir()
    site.data.chmod(0o555)
    worker = await site.worker(bounds=bounds)
    await worker.says(f"EACCES (Permission denied) at {site.data}")
    site.data.chmod(0o755)
    await worker.says("can use its storage")
    async with await site.web() as web:
        await ended(web, await upload(web, picture()))
        making = site.data / "processed" / ".making"
        making.chmod(0o555)
        await worker.says(f"EACCES (Permission denied) at {making}")
        assert "No worker is able" in await becomes(web, "workers", ok=False)
        job_id = await upload(web, picture())
        assert await status(web, job_id) == "WAITING"
        making.chmod(0o755)
        job: dict[str, Any] = await ended(web, job_id, 40)
        assert (job["status"], job["attempts"]) == ("DONE", 1)
        await becomes(web, "workers", ok=True)
    assert told(worker, "cannot use its storage") == told(worker, "can use its storage") == 2
