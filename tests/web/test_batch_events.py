"""The events of a batch: those of its jobs, and its end."""

from http import HTTPStatus
from typing import Any

import httpx
import pytest

from tests.conftest import picture
from tests.web.conftest import Refusal, refusal
from tests.web.test_events import Sent, following, names, server, still, stream_reached, web

__all__ = ["server", "still", "web"]

Batch = dict[str, Any]


async def uploaded(client: httpx.AsyncClient, *images: bytes) -> Batch:
    files = [("image", (f"{number}.jpg", image)) for number, image in enumerate(images, 1)]
    batch: Batch = (await client.post("/batches", files=files)).json()
    return batch


async def cancel(client: httpx.AsyncClient, item: Batch) -> None:
    assert (await client.post(f"/jobs/{item['job']['id']}/cancel")).status_code == HTTPStatus.ACCEPTED


def changes(told: list[Sent]) -> list[Sent]:
    """Without snapshots: at each heartbeat the service looks at the jobs, and may see a change before its event."""
    return [event for event in told if event.name != "snapshot"]


@pytest.mark.parametrize("path", ["/batches/{}/events", "/events?batch={}"])
async def test_its_jobs_are_told_and_then_its_end(still: httpx.AsyncClient, path: str) -> None:
    batch = await uploaded(still, picture(), b"this is a text, no image", picture())
    one, _, two = batch["jobs"]
    assert batch["links"]["events"] == f"/batches/{batch['id']}/events"
    url = path.format(batch["id"])
    async with following(still, url) as stream:
        assert [(await stream.next()).data["id"] for _ in range(2)] == [one["job"]["id"], two["job"]["id"]]  # type: ignore[union-attr]
        await stream_reached(stream)
    before = stream.last_id
    async with following(still, url, before) as second:
        await cancel(still, one)
        assert names(changes(await second.until("job.cancelled"))) == ["job.cancelled"]
        await cancel(still, two)
        told = changes(await second.rest())
    assert names(told) == ["job.cancelled", "batch.done"]
    shown = (await still.get(batch["links"]["self"])).json()
    assert shown["ended"]
    assert told[1].data["counts"] == shown["counts"] == {"CANCELLED": 2, "REFUSED": 1}
    assert told[1].data["links"] == {"self": f"/batches/{batch['id']}", "results": shown["links"]["results"]}
    # A client that lost its connection in between is told of the end again, and one that knows it, is not.
    async with following(still, url, told[0].last_id) as third:
        assert names(await third.rest()) == ["batch.done"]
    async with following(still, url, before) as fourth:
        assert names(await fourth.rest()) == ["job.cancelled", "job.cancelled", "batch.done"]
    async with following(still, url, told[1].last_id) as fifth:
        assert fifth.response.status_code == HTTPStatus.NO_CONTENT
    async with following(still, url) as sixth:
        assert names(await sixth.rest()) == ["snapshot", "job.cancelled", "snapshot", "job.cancelled", "batch.done"]


async def test_a_batch_without_jobs_has_only_an_end(still: httpx.AsyncClient) -> None:
    batch = await uploaded(still, b"this is a text, no image")
    async with following(still, batch["links"]["events"]) as stream:
        assert names(await stream.rest()) == ["batch.done"]


async def test_who_follows_all_jobs_is_told_once_after_the_last_job(still: httpx.AsyncClient) -> None:
    async with following(still, "/events") as stream:
        batch = await uploaded(still, picture(), picture())
        one, two = batch["jobs"]
        await cancel(still, two)
        await stream.until("job.cancelled")
        await cancel(still, one)
        told = await stream.until("batch.done")
        assert names(told) == ["job.cancelled", "batch.done"]
        assert told[0].last_id < told[1].last_id
        assert told[1].data["id"] == batch["id"]
        # The next thing that happens comes next.
        other = await uploaded(still, picture())
        await still.delete(other["jobs"][0]["job"]["links"]["self"])
        assert names(await stream.until("batch.done")) == ["job.waiting", "job.removed", "batch.done"]
    # Whoever knows only of the end of the job is told of the batch again.
    async with following(still, "/events", told[0].last_id) as second:
        assert names(await second.until("batch.done")) == ["job.cancelled", "batch.done"]


@pytest.mark.parametrize("batch_id", ["0" * 32, "x", "%2e%2e"])
async def test_an_unknown_batch(still: httpx.AsyncClient, batch_id: str) -> None:
    for path in (f"/batches/{batch_id}/events", f"/events?batch={batch_id}"):
        assert refusal(await still.get(path)) == Refusal(404, "unknown_batch")


async def test_a_stream_follows_one_batch_or_jobs(still: httpx.AsyncClient) -> None:
    for query in (f"batch={'0' * 32}&batch={'1' * 32}", f"batch={'0' * 32}&job={'1' * 32}"):
        assert refusal(await still.get(f"/events?{query}")) == Refusal(422, "invalid_parameter", "batch")
