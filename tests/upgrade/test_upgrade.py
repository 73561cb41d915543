"""The service carries on with the data of an older release: `make_fixture.py` wrote it, `layout.py` lays it out.

Without the old Redis only the records on disk are left. They hold no idempotency keys and, up to 0.1.0, no emails.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.conftest import http_client, running_service
from tests.upgrade.layout import RELEASES, fill_redis, lay_out, remains_of
from tests.waiting import wait_until

ENDED = ("DONE", "FAILED", "CANCELLED")
# The records on disk do not hold these.
ONLY_IN_REDIS = {"started_at", "attempts"}


@dataclass(frozen=True)
class Upgraded:
    """The present service on old data: what the old release said about it, and whether the old Redis is there."""

    address: str
    data: Path
    told: dict[str, Any]
    has_redis: bool

    @property
    def jobs(self) -> list[dict[str, Any]]:
        return list(self.told["jobs"].values())

    @property
    def ended(self) -> list[dict[str, Any]]:
        return [job for job in self.jobs if job["shown"]["status"] in ENDED]

    @property
    def unended(self) -> list[dict[str, Any]]:
        return [job for job in self.jobs if job["shown"]["status"] not in ENDED]


@pytest.fixture(scope="module")
def upgraded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    """The present service, started on what a release left."""
    name, has_redis = request.param
    folder = tmp_path_factory.mktemp("upgraded")
    remains = remains_of(name)
    lay_out(remains, folder / "data")
    if has_redis:
        asyncio.run(fill_redis(remains, folder / "data"))
    with running_service(folder) as address:
        yield Upgraded(address, folder / "data", remains.read("told.json"), has_redis)


# Every release, with its Redis and with an empty one. pytest keeps a fixture only as long as its parameter is the same
# object, so each stands here once.
WITH_REDIS = [pytest.param((path.name, True), id=f"{path.name} with its Redis") for path in sorted(RELEASES.iterdir())]
WITHOUT_REDIS = [
    pytest.param((path.name, False), id=f"{path.name} with an empty Redis") for path in sorted(RELEASES.iterdir())
]
on_all = pytest.mark.parametrize("upgraded", [*WITH_REDIS, *WITHOUT_REDIS], indirect=True, scope="module")
on_all_with_redis = pytest.mark.parametrize("upgraded", WITH_REDIS, indirect=True, scope="module")


@pytest.fixture
async def web(upgraded: Upgraded) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(upgraded.address, timeout=60) as web:
        yield web


async def shown(web: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    """The job, once it has ended. On an empty Redis it is unknown until the worker has read the records."""
    job: dict[str, Any] = {}

    async def has_ended() -> bool:
        answer = await web.get(f"/jobs/{job_id}", params={"wait": 20})
        job.update(answer.json())
        return answer.status_code == 200 and job["status"] in ENDED

    await wait_until(has_ended, seconds=60)
    return job


async def digest(web: httpx.AsyncClient, url: str) -> str:
    answer = await web.get(url)
    assert answer.status_code == 200, answer.text
    return hashlib.sha256(answer.content).hexdigest()


def assert_still_says(shown: Any, before: Any) -> None:
    """Fields may have come since, and none has gone or says something else."""
    if isinstance(before, dict):
        shown = {name: value for name, value in shown.items() if name in before}
    assert shown == before


@on_all
async def test_what_had_ended_is_shown_as_it_was(upgraded: Upgraded, web: httpx.AsyncClient) -> None:
    assert {job["shown"]["status"] for job in upgraded.ended} == set(ENDED)
    forgotten = set() if upgraded.has_redis else ONLY_IN_REDIS
    for old in upgraded.ended:
        job = await shown(web, old["shown"]["id"])
        for name in old["shown"].keys() - forgotten:
            assert_still_says(job[name], old["shown"][name])
        for name, expected in old["results"].items():
            assert await digest(web, job["results"][name]["url"]) == expected


@on_all
async def test_what_waited_or_ran_is_done(upgraded: Upgraded, web: httpx.AsyncClient) -> None:
    assert {job["shown"]["status"] for job in upgraded.unended} == {"WAITING", "IN_PROGRESS"}
    for old in upgraded.unended:
        job = await shown(web, old["shown"]["id"])
        assert job["status"] == "DONE", job
        assert job["created_at"] == old["shown"]["created_at"]
        assert job["source"].items() >= old["shown"]["source"].items()
        assert job["results"].keys() == old["results"].keys()
        for result in job["results"].values():
            with Image.open(BytesIO((await web.get(result["url"])).content)) as image:
                assert image.size == (result["width"], result["height"])


@on_all
async def test_every_source_is_there(upgraded: Upgraded, web: httpx.AsyncClient) -> None:
    for old in upgraded.jobs:
        job = await shown(web, old["shown"]["id"])
        assert await digest(web, job["links"]["original"]) == old["shown"]["source"]["sha256"]


@on_all
async def test_all_are_listed_newest_first(upgraded: Upgraded, web: httpx.AsyncClient) -> None:
    for old in upgraded.jobs:
        await shown(web, old["shown"]["id"])
    by_age = sorted(upgraded.jobs, key=lambda old: str(old["shown"]["created_at"]), reverse=True)
    oldest = [old["shown"]["id"] for old in by_age]
    listed = [job["id"] for job in (await web.get("/jobs", params={"limit": 100})).json()["jobs"]]
    assert [job_id for job_id in listed if job_id in oldest] == oldest


@on_all_with_redis
async def test_a_key_that_was_used_gives_its_first_job(upgraded: Upgraded, web: httpx.AsyncClient) -> None:
    use = upgraded.told["key"]
    old = upgraded.told["jobs"][use["job"]]["shown"]
    (source,) = (upgraded.data / "uploads").glob(f"*/{old['id']}/source")
    again = await web.post(
        "/images/",
        files={"image": (old["source"]["filename"], source.read_bytes())},
        data=use["fields"],
        headers={"Idempotency-Key": use["key"]},
    )
    assert again.json()["id"] == old["id"]


@on_all_with_redis
async def test_an_email_that_waited_is_sent(upgraded: Upgraded, web: httpx.AsyncClient) -> None:
    email = upgraded.told["email"]

    async def is_sent() -> bool:
        return bool((await web.get(f"/job/{email['id']}/status")).json()["status"] == "DONE")

    await wait_until(is_sent, seconds=30)
    (path,) = (upgraded.data / "outbox").glob("*.eml")
    assert f"To: {email['address']}" in path.read_text(encoding="utf-8")
