"""Clients cancel, retry and remove jobs at any moment, several at once, while workers run them."""

import asyncio
import random
from pathlib import Path
from typing import Any

import httpx

from quickthumb.queue.keys import KEYS
from tests.chaos.conftest import Scale
from tests.chaos.fleet import Fleet
from tests.chaos.pictures import small_picture
from tests.chaos.uploads import upload
from tests.waiting import wait_until

VERBS = ["cancel", "retry", "delete"]
# 409: it does not apply to the status of just now; 404: somebody has removed the job.
EXPECTED = {"cancel": {202, 404, 409}, "retry": {202, 404, 409}, "delete": {204, 404}}
LONGEST_PAUSE_SECONDS = 0.08


async def ask(client: httpx.AsyncClient, job_id: str, verb: str) -> int:
    address = f"/jobs/{job_id}"
    answer = await (client.delete(address) if verb == "delete" else client.post(f"{address}/{verb}"))
    assert answer.status_code in EXPECTED[verb], answer.text
    return answer.status_code


async def one_job(fleet: Fleet, chance: random.Random, data: bytes) -> tuple[str, set[str]]:
    """Uploads one picture and changes its mind up to three times; which verbs were obeyed."""
    picture = small_picture(chance)
    answer = await fleet.client.post("/images/", files={"image": data or picture.data})
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    obeyed: set[str] = set()
    for _ in range(chance.randint(0, 3)):
        await asyncio.sleep(chance.uniform(0, LONGEST_PAUSE_SECONDS))
        asked = chance.choices(VERBS, k=chance.randint(1, 2))
        statuses = await asyncio.gather(*(ask(fleet.client, job_id, verb) for verb in asked))
        obeyed |= {verb for verb, status in zip(asked, statuses, strict=True) if status < 300}
    return job_id, obeyed


def files_of(fleet: Fleet, job_id: str) -> list[Path]:
    return [path for path in fleet.data_dir.rglob(f"{job_id}*/*") if path.is_file()]


async def check(fleet: Fleet, job_id: str, obeyed: set[str]) -> None:
    """A removed job is gone with all it had; any other has ended in a way that fits what was asked."""
    address = f"/jobs/{job_id}"

    async def at_rest() -> bool:
        answer = await fleet.client.get(address)
        return answer.status_code == 404 or answer.json()["status"] in ("DONE", "FAILED", "CANCELLED")

    await wait_until(at_rest, seconds=30)
    answer = await fleet.client.get(address)
    if "delete" in obeyed:
        assert answer.status_code == 404
        await wait_until(lambda: not files_of(fleet, job_id), seconds=10)
        return
    job: dict[str, Any] = answer.json()
    result = await fleet.client.get(f"{address}/results/thumbnail")
    assert (result.status_code == 200) == (job["status"] == "DONE")
    assert ("cancel" in obeyed) == (job["status"] == "CANCELLED")


async def test_every_job_ends_as_its_clients_were_told(tmp_path: Path, chance: random.Random, scale: Scale) -> None:
    broken = small_picture(chance).data[:-60]
    async with Fleet(tmp_path, workers=2) as fleet:
        jobs: list[tuple[str, set[str]]] = []
        for _ in range(scale.uploads // 20):
            batch = [
                one_job(fleet, random.Random(chance.random()), chance.choice([b"", b"", broken])) for _ in range(20)
            ]
            jobs += await asyncio.gather(*batch)
        for job_id, obeyed in jobs:
            await check(fleet, job_id, obeyed)
        assert await fleet.store.zcard(KEYS.queue) == 0
        assert list((fleet.data_dir / "processed" / ".making").iterdir()) == []


async def test_a_key_makes_one_job_however_often_its_request_is_sent(tmp_path: Path, chance: random.Random) -> None:
    async with Fleet(tmp_path) as fleet:
        picture = small_picture(chance)
        sent = await asyncio.gather(*(upload(fleet.client, picture, key="the same") for _ in range(10)))
        assert {one.status for one in sent} <= {202, 409}
        assert len({one.job_id for one in sent if one.job_id}) == 1
        assert (await upload(fleet.client, picture, key="the same")).job_id in {one.job_id for one in sent}
        assert len(list((fleet.data_dir / "uploads").glob("*/*/source"))) == 1
