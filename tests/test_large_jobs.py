"""Large jobs: too large ones are refused, and all others leave room to the small jobs behind them."""

import asyncio
import base64
import json
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.chaos.test_poison import ended, upload
from tests.conftest import http_client, picture, running_service
from tests.imaging.pictures import noise

MEBIBYTE = 1024 * 1024
LARGE, SMALL, MANY = 6, 20, 200


@cache  # Drawing one takes longer than its upload.
def photo(width: int, height: int) -> bytes:
    file = BytesIO()
    noise(width, height).save(file, "JPEG")
    return file.getvalue()


def animation(frames: int) -> bytes:
    file = BytesIO()
    pictures = [Image.new("RGB", (64, 48), (shade, 0, 0)) for shade in range(frames)]
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:])
    return file.getvalue()


async def large_job(web: httpx.AsyncClient) -> str:
    """A job that is rendered for many seconds."""
    answer = await web.post(
        "/images/",
        params={"size": "5000x5000", "enlarge": "yes", "format": "avif"},
        content=photo(400, 400),
        headers={"Content-Type": "image/jpeg"},
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def small_jobs_end_first(address: str) -> list[dict[str, Any]]:
    """Queues large jobs and then small ones, and waits until the small ones have ended. Returns the large ones then."""
    async with http_client(address, timeout=60) as web:
        large = [await large_job(web) for _ in range(LARGE)]
        small = [await upload(web, picture(300, 200 + number)) for number in range(SMALL)]
        jobs = await asyncio.gather(*(ended(web, job_id, 90) for job_id in small))
        assert [job["status"] for job in jobs] == ["DONE"] * SMALL
        found = [(await web.get(f"/jobs/{job_id}")).json() for job_id in large]
        await asyncio.gather(*(web.delete(f"/jobs/{job_id}") for job_id in large))
    return found


@pytest.mark.parametrize("threads", [1, 2])
def test_small_jobs_end_while_large_ones_run_and_wait(tmp_path: Path, threads: int) -> None:
    """There are more large jobs than a worker has places for, and more than run at once."""
    settings: dict[str, Any] = {"worker_threads": threads, "decode_budget_bytes": 1024 * MEBIBYTE}
    with running_service(tmp_path, **settings) as address:
        large = asyncio.run(small_jobs_end_first(address))
    log = (tmp_path / "up.log").read_text()
    assert {job["status"] for job in large} <= {"WAITING", "IN_PROGRESS"}, log
    assert "IN_PROGRESS" in {job["status"] for job in large}, log
    assert [job["error"] for job in large] == [None] * LARGE


async def one_small_job_behind_many_large_ones(address: str) -> int:
    """How many of the large jobs any worker had claimed by the time at which the small one ended."""
    async with http_client(address, timeout=60) as web:
        large = [await large_job(web) for _ in range(MANY)]
        assert (await ended(web, await upload(web, picture()), 90))["status"] == "DONE"
        found = [(await web.get(f"/jobs/{job_id}")).json() for job_id in large]
        await asyncio.gather(*(web.delete(f"/jobs/{job_id}") for job_id in large))
    return sum(job["attempts"] > 0 for job in found)


def test_a_small_job_does_not_wait_until_the_large_ones_before_it_were_claimed(tmp_path: Path) -> None:
    with running_service(tmp_path, worker_threads=1, decode_budget_bytes=1024 * MEBIBYTE) as address:
        claimed = asyncio.run(one_small_job_behind_many_large_ones(address))
    assert 1 <= claimed <= MANY / 20


async def seemingly_large_jobs_all_end(address: str) -> list[dict[str, Any]]:
    """Jobs that count as large, but whose plain picture takes little time."""
    order: dict[str, str | int] = {"size": "1600x1600", "enlarge": "yes", "format": "avif", "quality": 95}
    async with http_client(address, timeout=60) as web:
        ids = [(await raw(web, DOT, **order)).json()["id"] for _ in range(30)]
        return list(await asyncio.gather(*(ended(web, job_id, 150) for job_id in ids)))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_large_job_is_claimed_once_there_is_a_place_for_it_and_not_before(tmp_path: Path, threads: int) -> None:
    with running_service(tmp_path, worker_threads=threads) as address:
        jobs = asyncio.run(seemingly_large_jobs_all_end(address))
    log = (tmp_path / "up.log").read_text()
    assert {(job["status"], job["attempts"]) for job in jobs} == {("DONE", 1)}, log
    assert "waiting in the queue" not in log


async def large_and_small_jobs_all_end(address: str) -> list[dict[str, Any]]:
    """The number of its frames makes an animation large, which only the worker finds out."""
    large, small = animation(80), photo(80, 80)
    async with http_client(address, timeout=60) as web:
        answers = [await raw(web, large, width=400, enlarge="yes") for _ in range(5)]
        answers += [await raw(web, small) for _ in range(5)]
        ids = [answer.json()["id"] for answer in answers]
        return list(await asyncio.gather(*(ended(web, job_id, 100) for job_id in ids)))


def test_large_jobs_that_wait_for_each_other_all_end_without_a_strike(tmp_path: Path) -> None:
    with running_service(tmp_path, worker_threads=1, max_attempts=1) as address:
        jobs = asyncio.run(large_and_small_jobs_all_end(address))
    log = (tmp_path / "up.log").read_text()
    assert [job["status"] for job in jobs] == ["DONE"] * 10, log
    assert "waiting in the queue: Another large job is already waiting for its turn at this worker." in log
    # Until the first refusal, nobody knows the others; after it, each is handed out once there is a place for it.
    assert max(job["attempts"] for job in jobs) <= 3, log


def png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


DOT = png(Image.new("RGB", (1, 1), "red"))
FORM = {"image": ("dot.png", DOT)}


async def raw(web: httpx.AsyncClient, image: bytes, **parameters: str | int) -> httpx.Response:
    """The answer to an upload whose body is the bare image."""
    headers = {"Content-Type": "application/octet-stream"}
    return await web.post("/images/", content=image, params=parameters, headers=headers)


def refused(answer: httpx.Response) -> str:
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "order_too_large"), problem
    return str(problem["detail"])


async def each_bound_is_told(web: httpx.AsyncClient) -> None:
    two = json.dumps([{"size": "1000x1000", "enlarge": True}, {"size": "1001x1001", "enlarge": True}])
    told = refused(await web.post("/images/", files=FORM, data={"outputs": two}))
    assert told == "The outputs have 2002001 pixels together; MAX_OUTPUT_PIXELS allows at most 2000000."
    nine = json.dumps([{"width": 1}] * 9)
    told = refused(await web.post("/images/", files=FORM, data={"outputs": nine}))
    assert told == "The job has 9 outputs; MAX_OUTPUTS allows at most 8."
    told = refused(await raw(web, DOT, size="1400x1400", enlarge="yes", format="avif", quality=95))
    assert told.endswith("MAX_WORK_SECONDS allows at most 3.")
    told = refused(await raw(web, png(Image.new("L", (5000, 5000))), width=100))
    assert told.endswith("DECODE_BUDGET_BYTES allows at most 67108864.")


async def each_way_in_is_bounded(web: httpx.AsyncClient) -> None:
    assert "MAX_OUTPUT_PIXELS" in refused(await raw(web, DOT, width=1500, enlarge="yes"))
    body = {"data": base64.b64encode(DOT).decode(), "width": 1500, "enlarge": True}
    assert "MAX_OUTPUT_PIXELS" in refused(await web.post("/images/", json=body))
    older = await web.post("/upload", files={"file": ("large.jpg", picture(1500, 1400))})
    assert "MAX_OUTPUT_PIXELS" in refused(older)


async def frames_are_bounded_in_the_worker(web: httpx.AsyncClient) -> None:
    answer = await raw(web, animation(10), width=640, enlarge="yes")
    job = await ended(web, answer.json()["id"])
    assert (job["status"], job["error"]["code"]) == ("FAILED", "order_too_large")
    assert job["error"]["detail"].startswith("The outputs have 3072000 pixels together; MAX_OUTPUT_PIXELS")


async def nothing_passes(address: str) -> None:
    async with http_client(address) as web:
        await each_bound_is_told(web)
        await each_way_in_is_bounded(web)
        await frames_are_bounded_in_the_worker(web)
        assert (await ended(web, await upload(web, picture())))["status"] == "DONE"


def test_what_is_too_much_is_refused_whichever_way_it_comes(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "max_outputs": 8,
        "max_output_pixels": 2_000_000,
        "max_work_seconds": 3,
        "decode_budget_bytes": 64 * MEBIBYTE,
    }
    with running_service(tmp_path, **settings) as address:
        asyncio.run(nothing_passes(address))
    # The animation and the last picture; what was refused left nothing behind.
    assert len(list((tmp_path / "data" / "uploads").glob("*/*/source"))) == 2
