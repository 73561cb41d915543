"""Uploads that use the results of earlier ones, over HTTP."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.conftest import picture
from tests.web.conftest import Refusal, refusal


async def ended(client: httpx.AsyncClient, image: bytes, **fields: str) -> dict[str, Any]:
    answer = await client.post("/images/", params={"wait": 30}, files={"image": ("a.jpg", image)}, data=fields)
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    assert job["status"] == "DONE", job
    return job


async def thumbnail(client: httpx.AsyncClient, job: dict[str, Any]) -> httpx.Response:
    return await client.get(job["results"]["thumbnail"]["url"])


async def test_the_same_image_is_made_once_if_asked(client: httpx.AsyncClient) -> None:
    image = picture(401, 301)
    plain, first, second = [await ended(client, image, **each) for each in ({}, {"dedupe": "yes"}, {"dedupe": "true"})]
    assert [job["deduplicated"] for job in (plain, first, second)] == [False, False, True]
    data = (await thumbnail(client, first)).content
    assert (await thumbnail(client, second)).content == data
    await client.delete(first["links"]["self"])
    assert (await thumbnail(client, first)).status_code == 404
    assert (await thumbnail(client, second)).content == data
    assert (await ended(client, image, dedupe="yes"))["deduplicated"]


async def test_many_at_once_are_made_once(client: httpx.AsyncClient) -> None:
    image = picture(1801, 1201)
    jobs = await asyncio.gather(*(ended(client, image, dedupe="yes") for _ in range(5)))
    assert sorted(job["deduplicated"] for job in jobs) == [False, True, True, True, True]
    assert len({job["id"] for job in jobs}) == 5


@pytest.mark.parametrize("value", ["perhaps", "2"])
async def test_what_makes_no_sense_is_refused(waiting: httpx.AsyncClient, value: str) -> None:
    answer = await waiting.post("/images/", files={"image": ("a.jpg", picture())}, data={"dedupe": value})
    assert refusal(answer) == Refusal(422, "invalid_parameter", "dedupe")
