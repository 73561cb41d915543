"""Following a job with either client, over connections that break."""

import asyncio
import re
from itertools import count

import pytest

from quickthumb.client import Problem, Retries, Status, UnexpectedAnswer, Unreachable
from tests.client.between import Fault, between, canned
from tests.client.conftest import Opened
from tests.conftest import http_client, picture

NAMES = ["a", "b"]
QUICK = Retries(attempts=3, first_pause_seconds=0.01)
ENDS = "text/event-stream"


def stream(*lines: str) -> bytes:
    return canned("200 OK", f"Content-Type: {ENDS}", body="\n".join((*lines, "", "")).encode())


async def test_from_its_beginning_to_its_end(opened: Opened, service: str) -> None:
    client = opened(service)
    job = await client.upload(picture(), outputs=[{"name": name, "width": 30} for name in NAMES])
    events = await client.events(job)
    assert events[0].name == "snapshot"
    assert events[0].job.id == job.id
    assert events[-1].name == "job.done"
    ready = {event.result.name: event.result for event in events if event.name == "result.ready"}
    assert ready == events[-1].job.results == (await client.find(job)).results
    assert [event.name for event in await client.events(job.id)] == [
        "snapshot",
        "result.ready",
        "result.ready",
        "job.done",
    ]


async def test_it_goes_on_where_the_connection_broke(opened: Opened, service: str) -> None:
    number = count()
    job_id = "0" * 32
    answers: list[Fault | bytes] = [
        stream("retry: 10", "", "event: reset", "data: {}", "", "id: 7-1"),
        stream("event: job.in_progress", "id: 8-0", f'data: {{"id":"{job_id}","status":"IN_PROGRESS","attempt":2}}'),
        Fault.LOST,
        canned("503 Service Unavailable", "Retry-After: 0"),
        stream(":", "", "event: job.removed", "id: 9-0", f'data: {{"id":"{job_id}"}}'),
    ]
    with between(service) as proxy:
        proxy.choose = lambda head: answers[next(number)]
        events = await opened(proxy.url, QUICK).events(job_id)
        heads = list(proxy.heads)
    assert [(event.name, event.status, event.attempt) for event in events] == [
        ("job.in_progress", Status.IN_PROGRESS, 2),
        ("job.removed", None, None),
    ]
    places = [re.search(r"^last-event-id: (\S+)", head, re.MULTILINE | re.IGNORECASE) for head in heads]
    assert [place and place[1] for place in places] == [None, "7-1", "8-0", "8-0", "8-0"]


async def test_there_is_nothing_more_to_come(opened: Opened, service: str) -> None:
    with between(service) as proxy:
        proxy.choose = lambda head: canned("204 No Content")
        assert await opened(proxy.url, QUICK).events("0" * 32) == []


async def test_what_goes_wrong(opened: Opened, service: str) -> None:
    with pytest.raises(Problem) as caught:
        await opened(service, QUICK).events("0" * 32)
    assert caught.value.code == "unknown_job"
    with between(service) as proxy:
        client = opened(proxy.url, QUICK)
        proxy.choose = lambda head: Fault.LOST
        with pytest.raises(Unreachable):
            await client.events("0" * 32)
        assert proxy.count("GET") == QUICK.attempts
        proxy.choose = lambda head: canned("429 Too Many Requests", "Retry-After: 0")
        with pytest.raises(Problem) as refused:
            await client.events("0" * 32)
        assert refused.value.status == 429
        proxy.choose = lambda head: stream("event: job.done", "data: {}")
        with pytest.raises(UnexpectedAnswer):
            await client.events("0" * 32)


async def test_it_is_told_while_it_happens(opened: Opened, idle: str) -> None:
    client = opened(idle)
    job = await client.upload(picture())
    following = asyncio.create_task(client.events(job))
    async with http_client(idle) as other:
        await other.post(f"/jobs/{job.id}/cancel")
    assert [event.name for event in await following][-1] == "job.cancelled"
