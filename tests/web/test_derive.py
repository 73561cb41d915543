"""Further outputs of an image that is kept, over HTTP."""

from typing import Any

import httpx
import pytest

from tests.conftest import picture
from tests.web.conftest import Refusal, done, refusal, upload


async def derived(client: httpx.AsyncClient, job: dict[str, Any], **order: Any) -> dict[str, Any]:
    """A new job for the image of another, once it is DONE."""
    answer = await client.post(f"{job['links']['self']}/outputs", json=order)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == answer.json()["links"]["self"]
    ended: dict[str, Any] = (await client.get(answer.headers["location"], params={"wait": 30})).json()
    assert ended["status"] == "DONE", ended
    return ended


async def test_further_outputs_are_a_job_of_their_own(client: httpx.AsyncClient) -> None:
    first = await done(client)
    second = await derived(client, first, name="small", width=50, height=50, tag="later", priority="low")
    assert (second["derived_from"], first["derived_from"]) == (first["id"], None)
    assert second["source"]["sha256"] == first["source"]["sha256"]
    assert (second["results"]["small"]["width"], second["tags"], second["priority"]) == (50, ["later"], "low")
    assert (await client.get(first["links"]["self"])).json() == first
    assert (await derived(client, second, preset="square-32-64"))["derived_from"] == second["id"]


async def test_neither_job_needs_the_other(client: httpx.AsyncClient) -> None:
    image = picture(333, 222)
    first = await done(client, data=image)
    second = await derived(client, first, name="small", width=50)
    await client.delete(first["links"]["self"])
    assert (await client.get(second["links"]["original"])).content == image
    assert (await client.get(second["results"]["small"]["url"])).status_code == 200
    third = await derived(client, second, width=40)
    await client.delete(second["links"]["self"])
    assert (await client.get(third["links"]["original"])).content == image


async def test_a_job_that_waits_may_get_further_outputs(waiting: httpx.AsyncClient) -> None:
    first = await upload(waiting)
    answer = await waiting.post(f"{first['links']['self']}/outputs", json={"width": 50})
    assert answer.status_code == 202
    job = answer.json()
    assert (job["status"], job["derived_from"], job["source"]) == ("WAITING", first["id"], first["source"])


async def test_a_repeated_request_makes_no_other_job(waiting: httpx.AsyncClient) -> None:
    first, other = await upload(waiting), await upload(waiting)
    headers = {"Idempotency-Key": f"derive {first['id']}"}

    async def ask(job: dict[str, Any], width: int) -> httpx.Response:
        return await waiting.post(f"{job['links']['self']}/outputs", json={"width": width}, headers=headers)

    job = (await ask(first, 50)).json()
    assert (await ask(first, 50)).json()["id"] == job["id"]
    assert refusal(await ask(first, 60)) == Refusal(422, "idempotency_key_reused")
    assert refusal(await ask(other, 50)) == Refusal(422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"width": 0}, Refusal(422, "invalid_parameter", "width")),
        ({"widht": 50}, Refusal(422, "invalid_parameter", "widht")),
        ({"preset": "nothing"}, Refusal(422, "invalid_parameter", "preset")),
        ({"data": "aGVsbG8="}, Refusal(422, "invalid_parameter", "data")),
        ({"url": "https://example.org/a.jpg"}, Refusal(422, "invalid_parameter", "url")),
        ({"outputs": [{"width": 10}] * 500}, Refusal(422, "order_too_large", "outputs")),
        ({"width": None, "priority": 7}, Refusal(422, "invalid_parameter", "priority")),
        ([], Refusal(400, "malformed_request")),
        ({"context": {"a": "x" * 20_000}}, Refusal(413, "too_many_bytes")),
    ],
)
async def test_what_makes_no_sense_is_refused(waiting: httpx.AsyncClient, order: Any, expected: Refusal) -> None:
    job = await upload(waiting)
    assert refusal(await waiting.post(f"{job['links']['self']}/outputs", json=order)) == expected


async def test_another_kind_of_body_is_refused(waiting: httpx.AsyncClient) -> None:
    job = await upload(waiting)
    answer = await waiting.post(f"{job['links']['self']}/outputs", data={"width": "50"})
    assert refusal(answer) == Refusal(415, "unsupported_media_type", "Content-Type")


async def test_a_job_that_is_gone_is_unknown(client: httpx.AsyncClient) -> None:
    job = await done(client)
    await client.delete(job["links"]["self"])
    answer = await client.post(f"{job['links']['self']}/outputs", json={"width": 50})
    assert refusal(answer) == Refusal(404, "unknown_job")
