"""Webhooks as their users see them: a service, a receiver, and the library that consumers verify with."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook as Verifier

from tests.conftest import http_client, picture, running_service
from tests.waiting import wait_until
from tests.webhooks.receiver import Receiver, receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture
async def client(tmp_path_factory: pytest.TempPathFactory, hook: Receiver) -> AsyncIterator[httpx.AsyncClient]:
    allowed = f"127.0.0.1:{hook.port}"
    settings: dict[str, Any] = {
        "outbound_allowed": allowed,
        "webhook_allowed": f"http://{allowed}/*",
        "webhook_secrets": SECRET,
    }
    with running_service(tmp_path_factory.mktemp("webhooks"), **settings) as address:
        async with http_client(address) as client:
            yield client


async def made(client: httpx.AsyncClient, hook: Receiver, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/webhooks", json={"url": hook.url, **fields})
    assert answer.status_code == HTTPStatus.CREATED, answer.text
    webhook: dict[str, Any] = answer.json()
    # Workers know of it within seconds; a test event shows that they do.
    await client.post(f"/webhooks/{webhook['id']}/test")
    await wait_until(lambda: any(one.event["type"] == "endpoint.test" for one in hook.received), 15)
    hook.received.clear()
    return webhook


async def uploaded(client: httpx.AsyncClient, **fields: str) -> dict[str, Any]:
    answer = await client.post("/images/", files={"image": ("cat.jpg", picture())}, data=fields)
    assert answer.status_code == HTTPStatus.ACCEPTED, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def test_a_webhook_is_told_what_the_library_verifies(client: httpx.AsyncClient, hook: Receiver) -> None:
    webhook = await made(client, hook)
    job = await uploaded(client, context='{"order": 17}', tag="cats")
    await wait_until(lambda: bool(hook.received), 10)
    (told,) = hook.received
    event = Verifier(webhook["secret"]).verify(told.body, told.headers)
    assert event["type"] == "job.done"
    data = event["data"]
    assert (data["id"], data["status"], data["context"], data["tags"]) == (job["id"], "DONE", {"order": 17}, ["cats"])
    result = data["results"]["thumbnail"]
    assert (await client.get(result["url"])).status_code == HTTPStatus.OK
    listed = (await client.get(f"/jobs/{job['id']}/deliveries")).json()["deliveries"]
    assert [one["event"] for one in listed] == ["job.done"]

    async def is_done() -> bool:
        found = (await client.get(f"/webhooks/{webhook['id']}/deliveries")).json()["deliveries"]
        return bool(found[0]["status"] == "DONE" and found[0]["attempts"][0]["status"] == 204)

    await wait_until(is_done, 10)


async def test_a_job_s_own_webhook_is_signed_with_the_service_s_secret(
    client: httpx.AsyncClient, hook: Receiver
) -> None:
    hook.answers, hook.body = [500], b"no" * 2000
    job = await uploaded(client, webhook=hook.url)
    await wait_until(lambda: len(hook.received) == 2, 20)
    first, second = hook.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert Verifier(SECRET).verify(second.body, second.headers)["data"]["id"] == job["id"]

    async def delivered() -> bool:
        (found,) = (await client.get(f"/jobs/{job['id']}/deliveries")).json()["deliveries"]
        answers = [attempt["status"] for attempt in found["attempts"]]
        return answers == [500, 204] and len(found["attempts"][0]["answer"]) == 1024

    await wait_until(delivered, 10)


@pytest.mark.parametrize("url", ["http://example.org/", "ftp://example.org/", "no URL", "http://127.0.0.1:1/"])
async def test_a_url_that_is_not_allowed_makes_no_job(client: httpx.AsyncClient, url: str) -> None:
    answer = await client.post("/images/", files={"image": ("cat.jpg", picture())}, data={"webhook": url})
    assert answer.status_code in (HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY)
    assert answer.json()["field"] == "webhook"
