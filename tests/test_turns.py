"""Who is next among real jobs, with real workers: in turns, by priority, at its time, whatever dies."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from quickthumb.queue.keys import KEYS
from tests.chaos.fleet import Fleet
from tests.conftest import http_client, picture
from tests.waiting import wait_until

WORKERS, THREADS = 2, 2
MANY = 1_000
IMAGE = picture(1200, 900)


async def uploaded(web: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await web.post("/images/", params=fields, content=IMAGE, headers={"Content-Type": "image/jpeg"})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def many(web: httpx.AsyncClient, count: int, **fields: Any) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = []
    for _ in range(0, count, 20):
        jobs += await asyncio.gather(*(uploaded(web, **fields) for _ in range(min(20, count - len(jobs)))))
    return jobs


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_one_client_with_a_thousand_images_delays_another_by_a_few(tmp_path: Path) -> None:
    async with Fleet(tmp_path, workers=0, worker_threads=THREADS) as fleet:
        await many(fleet.client, MANY)
        await asyncio.gather(*(fleet.add_worker() for _ in range(WORKERS)))

        async def works() -> bool:
            return bool((await fleet.client.get("/jobs", params={"status": "DONE", "limit": 1})).json()["jobs"])

        await wait_until(works, 30)
        (latest, _), *_ = await fleet.store.xrevrange(KEYS.events, count=1)
        async with http_client(fleet.address, from_address="127.0.0.2") as other:
            job = await uploaded(other)
            ended = await fleet.job(job["id"], wait=30)
        changes = [
            f"{change[b'id'].decode()} {change[b'status'].decode()}"
            for _, change in await fleet.store.xrange(KEYS.events, min=b"(" + latest)
        ]
        waiting = (await fleet.client.get("/jobs", params={"status": "WAITING", "limit": 1})).json()["jobs"]
    assert ended["status"] == "DONE"
    assert waiting, "the backlog was over before the other client's image came"
    queued, begun = changes.index(f"{job['id']} WAITING"), changes.index(f"{job['id']} IN_PROGRESS")
    overtaken = [change for change in changes[queued:begun] if change.endswith("IN_PROGRESS")]
    assert len(overtaken) <= WORKERS * THREADS + 2


async def test_order_and_times_outlive_a_wiped_redis_and_a_killed_worker(tmp_path: Path) -> None:
    async with Fleet(tmp_path, workers=0, worker_threads=1, lease_seconds=2) as fleet:
        low = await uploaded(fleet.client, priority="low")
        normal = await many(fleet.client, 10)
        high = await uploaded(fleet.client, priority="high")
        later = await uploaded(fleet.client, delay=4)
        for path, change in ((normal[-1], {"priority": "high"}), (normal[-2], {"priority": "low"})):
            answer = await fleet.client.patch(path["links"]["self"], json=change)
            assert answer.status_code == 200, answer.text
        never = await uploaded(fleet.client, delay=3600)
        sooner = await uploaded(fleet.client, delay=3600)
        await fleet.client.patch(sooner["links"]["self"], json={"run_at": later["run_at"]})
        await fleet.wipe_redis()
        recover = fleet.command("recover")
        await recover.start()
        assert await recover.ended() == 0, recover.said
        worker = await fleet.add_worker()
        first = [await fleet.job(job["id"], wait=30) for job in (high, normal[-1])]
        await worker.kill()
        await fleet.add_worker()
        ended = [await fleet.job(job["id"], wait=60) for job in (low, *normal[:-1], later, sooner)]
        left = await fleet.job(never["id"])
    assert {job["status"] for job in (*first, *ended)} == {"DONE"}
    low_ones, normal_ones, scheduled = [ended[0], ended[-3]], ended[1:-3], ended[-2:]
    assert max(map(_started, first)) <= min(map(_started, (*normal_ones, *low_ones)))
    assert {job["id"] for job in low_ones} == {low["id"], normal[-2]["id"]}
    # What the worker had in its hands when it was killed is made again, after a while.
    untouched = [job for job in normal_ones if job["attempts"] == 1]
    assert all(max(map(_started, untouched)) <= _started(job) for job in low_ones)
    for job in scheduled:
        assert job["run_at"] == later["run_at"]
        assert timedelta(0) <= moment(job["started_at"]) - moment(job["run_at"])
    assert (left["status"], left["run_at"]) == ("WAITING", never["run_at"])


def _started(job: dict[str, Any]) -> str:
    return str(job["started_at"])
