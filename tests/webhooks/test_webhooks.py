"""Webhooks as their users see them: a service, a receiver, and the library that consumers verify with."""

from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from standardwebhooks import Webhook as Verifier

from tests.conftest import http_client, picture, running_service
from tests.waiting import wait_until
from tests.webhooks.conftest import SECRET
from tests.webhooks.receiver import Receiver, receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("webhooks")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(folder: Path, hook: Receiver) -> AsyncIterator[httpx.AsyncClient]:
    settings: dict[str, Any] = {
        "outbound_allowed": hook.place,
        "webhook_allowed": f"http://{hook.place}/own/*",
        "webhook_secrets": SECRET,
        "webhook_pauses": "0.2, 0.2",
    }
    with running_service(folder, **settings) as address:
        async with http_client(address) as client:
            yield client


async def made(client: httpx.AsyncClient, hook: Receiver, path: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/webhooks", json={"url": hook.url(path), **fields})
    assert answer.status_code == HTTPStatus.CREATED, answer.text
    assert answer.headers["cache-control"] == "no-store"
    webhook: dict[str, Any] = answer.json()
    return webhook


async def uploaded(client: httpx.AsyncClient, **fields: str) -> dict[str, Any]:
    answer = await client.post("/images/", files={"image": ("cat.jpg", picture())}, data=fields)
    assert answer.status_code == HTTPStatus.ACCEPTED, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def deliveries(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(f"{path}/deliveries")).json()["deliveries"]
    return found


async def test_a_webhook_that_was_made_just_now_is_told_what_the_library_verifies(
    client: httpx.AsyncClient, hook: Receiver
) -> None:
    webhook = await made(client, hook, "/first")
    job = await uploaded(client, context='{"order": 17}', tag="cats")
    await wait_until(lambda: bool(hook.at("/first")), 15)
    (told,) = hook.at("/first")
    event = Verifier(webhook["secret"]).verify(told.body, told.headers)
    assert event["type"] == "job.done"
    data = event["data"]
    assert (data["id"], data["status"], data["context"], data["tags"]) == (job["id"], "DONE", {"order": 17}, ["cats"])
    result = data["results"]["thumbnail"]
    assert (await client.get(result["url"])).status_code == HTTPStatus.OK

    async def is_done() -> bool:
        (found,) = await deliveries(client, f"/webhooks/{webhook['id']}")
        return bool(found["status"] == "DONE" and found["attempts"][0]["status"] == 204)

    await wait_until(is_done, 10)
    assert [one["event"] for one in await deliveries(client, f"/jobs/{job['id']}")] == ["job.done"]
    assert (await client.delete(f"/webhooks/{webhook['id']}")).status_code == HTTPStatus.NO_CONTENT
    assert (await client.get(f"/webhooks/{webhook['id']}/deliveries")).status_code == HTTPStatus.NOT_FOUND


async def test_the_secret_is_shown_once_and_can_be_replaced(client: httpx.AsyncClient, hook: Receiver) -> None:
    webhook = await made(client, hook, "/rotated", events=["job.failed"], description="for tests")
    (listed,) = (await client.get("/webhooks")).json()["webhooks"]
    assert listed == {name: value for name, value in webhook.items() if name != "secret"}
    answer = await client.post(f"/webhooks/{webhook['id']}/rotate")
    newer = answer.json()["secret"]
    assert newer != webhook["secret"]
    sent = await client.post(f"/webhooks/{webhook['id']}/test")
    assert sent.status_code == HTTPStatus.ACCEPTED
    await wait_until(lambda: bool(hook.at("/rotated", "endpoint.test")), 10)
    (told,) = hook.at("/rotated")
    assert told.headers["webhook-id"] == f"msg_{sent.json()['message_id']}"
    for secret in (webhook["secret"], newer):
        assert Verifier(secret).verify(told.body, told.headers)["data"] == {"webhook_id": webhook["id"]}
    again = await client.post(f"/deliveries/{sent.json()['id']}/replay")
    assert again.status_code == HTTPStatus.ACCEPTED
    await wait_until(lambda: len(hook.at("/rotated")) == 2, 10)
    span = {"since": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z", "only_failed": False}

    async def is_replayed() -> bool:
        answer = await client.post(f"/webhooks/{webhook['id']}/replay", json=span)
        return bool(answer.json()["deliveries"])

    await wait_until(is_replayed, 10)
    await wait_until(lambda: len(hook.at("/rotated")) == 3, 10)
    await client.delete(f"/webhooks/{webhook['id']}")


async def test_a_job_s_own_webhook_is_tried_again_and_signed_with_the_service_s_secret(
    client: httpx.AsyncClient, hook: Receiver
) -> None:
    hook.answers["/own/hook"] = [500]
    job = await uploaded(client, webhook=hook.url("/own/hook"))
    await wait_until(lambda: len(hook.at("/own/hook")) == 2, 20)
    first, second = hook.at("/own/hook")
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert Verifier(SECRET).verify(second.body, second.headers)["data"]["id"] == job["id"]

    async def delivered() -> bool:
        (found,) = await deliveries(client, f"/jobs/{job['id']}")
        return [attempt["status"] for attempt in found["attempts"]] == [500, 204]

    await wait_until(delivered, 10)
    text = (await client.get("/metrics")).text
    assert 'quickthumb_webhook_deliveries_total{status="DONE"}' in text
    assert "quickthumb_webhook_backlog 0.0" in text
    assert "quickthumb_queue_length 0.0" in text


async def test_after_the_last_pause_the_delivery_is_failed(client: httpx.AsyncClient, hook: Receiver) -> None:
    hook.answers["/own/never"] = [500] * 3
    job = await uploaded(client, webhook=hook.url("/own/never"))

    async def failed() -> bool:
        found = await deliveries(client, f"/jobs/{job['id']}")
        return bool(found) and found[0]["status"] == "FAILED"

    await wait_until(failed, 20)
    (found,) = await deliveries(client, f"/jobs/{job['id']}")
    assert found["error"]["code"] == "webhook_unavailable"
    assert len(found["attempts"]) == 3


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://example.org/", 403),
        ("http://127.0.0.1:1/own/x", 403),
        ("ftp://example.org/", 422),
        ("no URL", 422),
        ("https://user:word@example.org/", 422),
        ("https://example.org/" + "x" * 3000, 422),
    ],
)
async def test_a_url_that_is_not_allowed_makes_no_job(client: httpx.AsyncClient, url: str, status: int) -> None:
    answer = await client.post("/images/", files={"image": ("cat.jpg", picture())}, data={"webhook": url})
    assert answer.status_code == status
    assert answer.json()["field"] == "webhook"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"no JSON", 400, None),
        (b"[]", 400, None),
        (b'{"url": "\\ud800"}', 400, None),
        (b'{"url": ' + b"[" * 5000, 400, None),
        (b"\xff\xfe{\x00}\x00", 400, None),
        (b"{}", 422, "url"),
        (b'{"url": 1}', 422, "url"),
        (b'{"url": NaN}', 422, "url"),
        (b'{"url": "gopher://x/"}', 422, "url"),
        (b'{"url": "https://example.org/", "events": []}', 422, "events"),
        (b'{"url": "https://example.org/", "events": ["job.lost"]}', 422, "events"),
        (b'{"url": "https://example.org/", "events": ["endpoint.test"]}', 422, "events"),
        (b'{"url": "https://example.org/", "description": "' + b"x" * 300 + b'"}', 422, "description"),
        (b'{"url": "https://example.org/", "secret": "mine"}', 422, "secret"),
        (b'{"url": "' + b"x" * 20_000 + b'"}', 413, None),
    ],
)
async def test_a_body_that_makes_no_webhook_is_refused(
    client: httpx.AsyncClient, body: bytes, status: int, field: str | None
) -> None:
    answer = await client.post("/webhooks", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().get("field") == field


async def test_a_form_makes_no_webhook(client: httpx.AsyncClient) -> None:
    answer = await client.post("/webhooks", data={"url": "https://example.org/"})
    assert answer.status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


async def test_the_end_of_a_batch_is_listed_with_the_batch(client: httpx.AsyncClient, hook: Receiver) -> None:
    webhook = await made(client, hook, "/batches", events=["batch.done"])
    files = [("image", (f"{number}.jpg", picture(40, 30))) for number in range(2)]
    data = {"webhook": hook.url("/own/batch"), "tag": "cats"}
    batch = (await client.post("/batches", files=files, data=data)).json()
    await wait_until(lambda: bool(hook.at("/batches") and hook.at("/own/batch")), 20)
    for told in hook.at("/batches") + hook.at("/own/batch"):
        assert (told.event["type"], told.event["data"]["counts"]) == ("batch.done", {"DONE": 2})
        assert told.event["data"]["tags"] == ["cats"]
        assert (await client.get(told.event["data"]["results"])).status_code == HTTPStatus.OK

    async def are_done() -> bool:
        found = await deliveries(client, batch["links"]["self"])
        return {(one["status"], one["batch_id"]) for one in found} == {("DONE", batch["id"])}

    await wait_until(are_done, 10)
    # The webhook of a batch is not that of its jobs.
    job_id = batch["jobs"][0]["job"]["id"]
    assert await deliveries(client, f"/jobs/{job_id}") == []
    url: str | None = f"{batch['links']['self']}/deliveries?limit=1&status=done"
    found = []
    while url is not None:
        page = (await client.get(url)).json()
        found += page["deliveries"]
        url = page["next"]
    assert {one["webhook_id"] for one in found} == {webhook["id"], None}
    assert len(found) == 2
    await client.delete(f"/webhooks/{webhook['id']}")


@pytest.mark.parametrize("query", ["status=x", "limit=0", "limit=1001", "limit=x", "cursor=x", "cursor="])
async def test_a_page_of_deliveries_that_is_none(client: httpx.AsyncClient, hook: Receiver, query: str) -> None:
    webhook = await made(client, hook, "/unused", events=["job.failed"])
    answer = await client.get(f"/webhooks/{webhook['id']}/deliveries?{query}")
    assert (answer.status_code, answer.json()["field"]) == (422, query.partition("=")[0])
    await client.delete(f"/webhooks/{webhook['id']}")


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"events": []}, "events"),
        ({"events": ["job.lost"]}, "events"),
        ({"events": "job.done"}, "events"),
        ({"status": "WAITING"}, "status"),
        ({"status": "x"}, "status"),
        ({"status": "DONE", "only_failed": True}, "status"),
    ],
)
async def test_a_choice_of_events_that_is_none(
    client: httpx.AsyncClient, hook: Receiver, words: dict[str, Any], field: str
) -> None:
    webhook = await made(client, hook, "/unused", events=["job.failed"])
    span = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
    answer = await client.post(f"/webhooks/{webhook['id']}/replay", json=span | words)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    fine = span | {"events": ["job.done", "batch.done"], "status": "FAILED"}
    assert (await client.post(f"/webhooks/{webhook['id']}/replay", json=fine)).json()["deliveries"] == []
    await client.delete(f"/webhooks/{webhook['id']}")


async def test_an_email_tells_of_the_end_of_a_job(client: httpx.AsyncClient, folder: Path) -> None:
    job = await uploaded(client, notify_email="ada@example.com", size="40x40")
    mails = folder / "data" / "outbox"
    await wait_until(lambda: bool(list(mails.glob("*.eml"))), 20)
    (path,) = mails.glob("*.eml")
    message = BytesParser(EmailMessage, policy=default).parsebytes(path.read_bytes())
    (attached,) = message.iter_attachments()
    shown = (await client.get(job["links"]["self"])).json()
    (result,) = shown["results"].values()
    assert attached.get_content() == (await client.get(result["url"])).content
    assert (message["To"], message["Subject"]) == ("ada@example.com", "Your image is ready")
    # Nobody is shown the address.
    assert "ada@example.com" not in (await client.get("/jobs")).text
    for address, status in (("eve@example.net", 403), ("ada", 422)):
        answer = await client.post("/images/", files={"image": ("cat.jpg", picture())}, data={"notify_email": address})
        assert (answer.status_code, answer.json()["field"]) == (status, "notify_email")


async def test_a_range_needs_a_time_zone(client: httpx.AsyncClient, hook: Receiver) -> None:
    webhook = await made(client, hook, "/unused", events=["job.failed"])
    span = {"since": "2026-01-01T00:00:00", "until": "2026-01-02T00:00:00Z"}
    answer = await client.post(f"/webhooks/{webhook['id']}/replay", json=span)
    assert (answer.status_code, answer.json()["field"]) == (422, "since")
    await client.delete(f"/webhooks/{webhook['id']}")
