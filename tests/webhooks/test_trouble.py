"""Webhooks when something fails: a worker that is killed, a Redis that is wiped, a receiver that hangs."""

import signal
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from standardwebhooks import Webhook as Verifier

from quickthumb.work.hosts import MOST_AT_ONCE
from tests.conftest import picture
from tests.redis_server import RedisServer
from tests.test_processes import TAKE_OVER_SECONDS, Site
from tests.waiting import wait_until
from tests.webhooks.conftest import SECRET
from tests.webhooks.receiver import Receiver, receiver

# Between the attempts before Redis is lost, and long enough after it to see that it is lost first.
PAUSES = "0.2, 0.2, 3600"
HOUSEKEEPING_SECONDS = 0.5


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with RedisServer(tmp_path / "redis") as redis:
        site = Site(tmp_path, redis)
        try:
            yield site
        finally:
            await site.close()


@pytest.fixture
async def web(site: Site, hook: Receiver) -> AsyncIterator[httpx.AsyncClient]:
    async with await site.web(**settings_of(hook)) as web:
        yield web


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


def settings_of(*hooks: Receiver) -> dict[str, Any]:
    return {
        "outbound_allowed": ",".join(hook.place for hook in hooks),
        "webhook_allowed": ",".join(f"http://{hook.place}/*" for hook in hooks),
        "webhook_secrets": SECRET,
        "webhook_pauses": PAUSES,
        "housekeeping_seconds": HOUSEKEEPING_SECONDS,
    }


async def upload(web: httpx.AsyncClient, image: bytes, **fields: str) -> str:
    answer = await web.post("/images/", files={"image": ("cat.jpg", image)}, data=fields)
    assert answer.status_code == HTTPStatus.ACCEPTED, answer.text
    return str(answer.json()["id"])


async def test_two_failures_and_a_wiped_redis_later_the_event_is_delivered_and_verified(
    site: Site, hook: Receiver, web: httpx.AsyncClient
) -> None:
    settings = settings_of(hook)
    await site.worker(**settings)
    hook.answers["/hook"] = [204, 500, 503]
    webhook = (await web.post("/webhooks", json={"url": hook.url("/hook")})).json()
    earlier = await upload(web, picture())
    await wait_until(lambda: len(hook.received) == 1, 20)

    async def is_marked() -> bool:
        found = (await web.get(f"/jobs/{earlier}/deliveries")).json()["deliveries"]
        return bool(found[0]["status"] == "DONE")

    await wait_until(is_marked)
    job_id = await upload(web, picture())
    await wait_until(lambda: len(hook.received) == 3, 20)
    async with Redis.from_url(site.redis.url) as redis:
        await redis.flushall()
    await wait_until(lambda: len(hook.received) == 4, 30)
    _, first, second, third = hook.received
    assert [told.status for told in (first, second, third)] == [500, 503, 204]
    assert len({told.headers["webhook-id"] for told in (first, second, third)}) == 1
    event = Verifier(webhook["secret"]).verify(third.body, third.headers)
    assert (event["type"], event["data"]["id"]) == ("job.done", job_id)

    # The one that was delivered before is known to be, and is not sent again.
    async def is_restored() -> bool:
        found = (await web.get(f"/jobs/{job_id}/deliveries")).json().get("deliveries")
        return bool(found) and found[0]["status"] == "DONE"

    await wait_until(is_restored)
    assert [told.event["data"]["id"] for told in hook.received].count(earlier) == 1
    (kept,) = (await web.get(f"/jobs/{earlier}/deliveries")).json()["deliveries"]
    assert kept["status"] == "DONE"


async def test_a_worker_that_is_killed_while_the_receiver_has_the_request_costs_no_event(
    site: Site, hook: Receiver, web: httpx.AsyncClient
) -> None:
    settings = settings_of(hook)
    worker = await site.worker(**settings)
    hook.hang.add("/hook")
    job_id = await upload(web, picture(), webhook=hook.url("/hook"))
    await wait_until(lambda: len(hook.received) == 1, 20)
    worker.send(signal.SIGKILL)
    await worker.exit_code()
    hook.hang.clear()
    await site.worker(**settings)
    await wait_until(lambda: len(hook.received) == 2, 2 * TAKE_OVER_SECONDS)
    first, second = hook.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert Verifier(SECRET).verify(second.body, second.headers)["data"]["id"] == job_id


async def test_a_receiver_that_hangs_slows_neither_another_one_nor_images(site: Site, hook: Receiver) -> None:
    async with receiver() as other:
        settings = settings_of(hook, other)
        async with await site.web(**settings) as web:
            await site.worker(**settings)
            hook.hang.add("/hook")
            for _ in range(100):
                await upload(web, picture(40, 30), webhook=hook.url("/hook"))
            await wait_until(lambda: bool(hook.received), 20)
            job_id = await upload(web, picture(), webhook=other.url("/hook"))
            shown = await web.get(f"/jobs/{job_id}", params={"wait": 10})
            assert shown.json()["status"] == "DONE"
            await wait_until(lambda: bool(other.received), 5)
            assert other.received[0].event["data"]["id"] == job_id
            assert len(hook.received) <= MOST_AT_ONCE


async def test_a_cancelled_job_is_told_of(site: Site, hook: Receiver, web: httpx.AsyncClient) -> None:
    settings = settings_of(hook)
    job_id = await upload(web, picture(), webhook=hook.url("/hook"))
    assert (await web.post(f"/jobs/{job_id}/cancel")).status_code == HTTPStatus.ACCEPTED
    await site.worker(**settings)
    await wait_until(lambda: bool(hook.received), 20)
    assert hook.received[0].event["type"] == "job.cancelled"
