"""Priorities and schedules over HTTP: sent with an image, shown, and changed while the job waits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.conftest import picture
from tests.waiting import wait_until
from tests.web.conftest import Refusal, done, refusal, upload

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


async def sent(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await client.post("/images/", files={"image": ("cat.jpg", picture())}, data=fields)


async def change(client: httpx.AsyncClient, job: dict[str, Any], **changes: Any) -> httpx.Response:
    return await client.patch(job["links"]["self"], json=changes)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_job_shows_its_priority_and_its_time(waiting: httpx.AsyncClient) -> None:
    job = (await sent(waiting, priority="high", delay="90")).json()
    assert job["priority"] == "high"
    assert moment(job["run_at"]) == moment(job["created_at"]) + timedelta(seconds=90)
    assert (await waiting.get(job["links"]["self"])).json()["run_at"] == job["run_at"]
    plain = await upload(waiting)
    assert (plain["priority"], plain["run_at"]) == ("normal", None)


async def test_a_moment_is_shown_in_utc(waiting: httpx.AsyncClient) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    job = (await sent(waiting, run_at=at.isoformat().replace("+00:00", "Z"))).json()
    assert job["run_at"] == at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"priority": "urgent"}, "priority"),
        ({"delay": "-1"}, "delay"),
        ({"delay": "2592001"}, "delay"),
        ({"delay": "soon"}, "delay"),
        ({"run_at": "2026-01-31"}, "run_at"),
        ({"run_at": "2099-01-31T12:00:00Z"}, "run_at"),
        ({"delay": "5", "run_at": "2026-01-31T12:00:00Z"}, "run_at"),
    ],
)
async def test_what_makes_no_sense_is_refused(waiting: httpx.AsyncClient, fields: dict[str, str], field: str) -> None:
    assert refusal(await sent(waiting, **fields)) == Refusal(422, "invalid_parameter", field)


async def test_a_scheduled_job_runs_at_its_time(client: httpx.AsyncClient) -> None:
    job = (await sent(client, delay="1")).json()
    listed = (await client.get("/jobs", params={"status": "WAITING", "limit": 100})).json()["jobs"]
    assert job["run_at"] in [other["run_at"] for other in listed if other["id"] == job["id"]]
    ended = (await client.get(job["links"]["self"], params={"wait": 30})).json()
    assert ended["status"] == "DONE"
    assert timedelta(0) <= moment(ended["started_at"]) - moment(ended["run_at"]) < timedelta(seconds=1)


async def test_a_changed_job_runs_at_once(client: httpx.AsyncClient) -> None:
    job = (await sent(client, delay="3600")).json()
    answer = await change(client, job, run_at=None, priority="low")
    assert (answer.status_code, answer.json()["run_at"], answer.json()["priority"]) == (200, None, "low")
    assert answer.headers["cache-control"] == "no-store"
    ended = (await client.get(job["links"]["self"], params={"wait": 30})).json()
    assert ended["status"] == "DONE"


async def test_a_scheduled_job_can_be_cancelled(client: httpx.AsyncClient) -> None:
    job = (await sent(client, delay="3600")).json()
    assert (await client.post(f"{job['links']['self']}/cancel")).json()["status"] == "CANCELLED"
    assert refusal(await change(client, job, delay=0)) == Refusal(409, "not_waiting")


async def test_each_field_changes_alone(waiting: httpx.AsyncClient) -> None:
    job = (await sent(waiting, priority="low", delay="600")).json()
    changed = (await change(waiting, job, priority="high")).json()
    assert (changed["priority"], changed["run_at"]) == ("high", job["run_at"])
    changed = (await change(waiting, job, delay=1200)).json()
    assert changed["priority"] == "high"
    assert moment(changed["run_at"]) > moment(job["run_at"])
    answer = await waiting.patch(job["links"]["self"], content=b'{"priority": "normal"}', headers=MERGE_PATCH)
    assert answer.json() == {**changed, "priority": "normal"}
    assert (await waiting.get(job["links"]["self"])).json() == answer.json()


async def test_only_a_job_that_waits_can_be_changed(client: httpx.AsyncClient) -> None:
    assert refusal(await change(client, await done(client), priority="high")) == Refusal(409, "not_waiting")
    assert refusal(await client.patch(f"/jobs/{'0' * 32}", json={"priority": "high"})) == Refusal(404, "unknown_job")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"priority": "urgent"}', Refusal(422, "invalid_parameter", "priority")),
        (b"{}", Refusal(422, "invalid_parameter", "priority")),
        (b'{"outputs": []}', Refusal(422, "invalid_parameter", "outputs")),
        (b'{"delay": 1e400}', Refusal(400, "malformed_request")),
        (b'{"delay": 99999999999999999999999999}', Refusal(422, "invalid_parameter", "delay")),
        (b'{"priority": "high", "priority": "low"}', Refusal(400, "malformed_request")),
        (b"[]", Refusal(400, "malformed_request")),
        (b'"high"', Refusal(400, "malformed_request")),
        (b"", Refusal(400, "malformed_request")),
        (b"[" * 10_000, Refusal(400, "malformed_request")),
        (b'{"priority": "\xff"}', Refusal(400, "malformed_request")),
        (b'{"priority": "' + b"x" * 20_000 + b'"}', Refusal(413, "too_many_bytes")),
    ],
)
async def test_a_body_that_makes_no_sense_is_refused(
    waiting: httpx.AsyncClient, body: bytes, expected: Refusal
) -> None:
    job = (await sent(waiting, delay="600")).json()
    answer = await waiting.patch(
        job["links"]["self"], content=body, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    assert refusal(answer) == expected


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}])
async def test_a_body_of_another_type_is_refused(waiting: httpx.AsyncClient, headers: dict[str, str]) -> None:
    job = (await sent(waiting, delay="600")).json()
    if "Content-Encoding" in headers:
        headers = {**headers, "Content-Type": "application/json"}
    answer = await waiting.patch(job["links"]["self"], content=b'{"priority": "high"}', headers=headers)
    assert refusal(answer).code == "unsupported_media_type"


async def test_a_repeated_request_is_the_same_only_with_the_same_schedule(waiting: httpx.AsyncClient) -> None:
    async def send(**fields: str) -> httpx.Response:
        files, headers = {"image": ("cat.jpg", picture(40, 30))}, {"Idempotency-Key": "schedule"}
        return await waiting.post("/images/", files=files, data=fields, headers=headers)

    first = (await send(delay="600")).json()
    assert (await send(delay="600")).json() == first
    assert refusal(await send(delay="601")).code == "idempotency_key_reused"
    assert refusal(await send(delay="600", priority="low")).code == "idempotency_key_reused"


async def test_a_job_of_the_future_is_no_backlog(waiting: httpx.AsyncClient) -> None:
    async def oldest_seconds() -> float:
        text = (await waiting.get("/metrics")).text
        return float(next(line.split()[-1] for line in text.splitlines() if line.startswith("quickthumb_oldest_wai")))

    before = await oldest_seconds()
    await sent(waiting, delay="600")

    async def is_unchanged() -> bool:
        return await oldest_seconds() >= before

    await wait_until(is_unchanged)
