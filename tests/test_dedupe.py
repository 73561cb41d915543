"""The same image at once, through two web processes, with two workers, one of which dies."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.fleet import Fleet
from tests.conftest import http_client, picture
from tests.waiting import wait_until
from tests.web_process import running_web

UPLOADS = 12
IMAGE = picture(2400, 1800)


async def uploaded(web: httpx.AsyncClient) -> str:
    parameters = {"dedupe": "yes", "width": "1000"}
    answer = await web.post("/images/", params=parameters, content=IMAGE, headers={"Content-Type": "image/jpeg"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def ended(fleet: Fleet, job_ids: list[str]) -> list[dict[str, Any]]:
    return await asyncio.gather(*(fleet.job(job_id, wait=30) for job_id in job_ids))


def beside(fleet: Fleet) -> Path:
    """The folder for another web process, on the same data folder."""
    folder = fleet.folder / "other"
    folder.mkdir()
    (folder / "data").symlink_to(fleet.data_dir)
    return folder


def files(fleet: Fleet, job_ids: list[str]) -> set[int]:
    """The results, as the file system tells one file from another."""
    found = [[*(fleet.data_dir / "processed" / job_id[:3] / job_id).glob("*.jpg")] for job_id in job_ids]
    assert all(len(each) == 1 for each in found)
    return {each[0].stat().st_ino for each in found}


async def test_many_at_once_are_rendered_once(tmp_path: Path) -> None:
    async with (
        Fleet(tmp_path, workers=2, worker_threads=2) as fleet,
        running_web(beside(fleet), fleet.redis_url) as web,
        http_client(web.address) as other,
    ):
        job_ids = await asyncio.gather(*(uploaded(each) for each in (fleet.client, other) for _ in range(UPLOADS // 2)))
        jobs = await ended(fleet, job_ids)
        assert {job["status"] for job in jobs} == {"DONE"}
        assert sum(not job["deduplicated"] for job in jobs) == 1
        assert len(files(fleet, job_ids)) == 1


async def test_a_worker_that_dies_keeps_nobody_waiting(tmp_path: Path) -> None:
    async with Fleet(tmp_path, workers=1, worker_threads=1, lease_seconds=2) as fleet:
        job_ids = [await uploaded(fleet.client) for _ in range(3)]

        async def is_named() -> bool:
            return bool(await fleet.store.keys("quickthumb:twin:*"))

        await wait_until(is_named, 20)
        await fleet.workers[0].kill()
        await fleet.add_worker()
        jobs = await ended(fleet, job_ids)
        assert {job["status"] for job in jobs} == {"DONE"}
        assert sum(not job["deduplicated"] for job in jobs) == 1
