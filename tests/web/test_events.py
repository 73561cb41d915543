"""Server-sent events over HTTP: what a client is told, and how it goes on after a break."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from quickthumb.model.caller import Scope
from quickthumb.queue.keys import KEYS
from quickthumb.service.guard import LOOK_SECONDS
from quickthumb.service.keys import KeyStore
from quickthumb.storage import FileStorage
from tests.conftest import http_client, picture
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web.conftest import Refusal, done, refusal, upload
from tests.web.sockets import connection
from tests.web_process import WebProcess, running_web

HEARTBEAT_SECONDS = 0.5
MOST, MOST_PER_ADDRESS = 6, 4
OTHER = "127.0.0.2"


@dataclass(frozen=True)
class Sent:
    """One event as a browser sees it: `last_id` is what it would send back after a break."""

    name: str
    data: dict[str, Any]
    last_id: str


class Stream:
    """Reads a stream as browsers do (WHATWG HTML, section 9.2.6)."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last_id = ""
        self.heartbeats = 0
        self.retries: list[int] = []
        self._lines = response.aiter_lines()

    async def next(self) -> Sent | None:
        """The next event; None at the end."""
        name, data = "message", ""
        async with asyncio.timeout(20):
            async for line in self._lines:
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if line == ":":
                    self.heartbeats += 1
                elif field == "id":
                    self.last_id = value
                elif field == "retry":
                    self.retries.append(int(value))
                elif field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif not line and data:
                    return Sent(name, json.loads(data), self.last_id)
        return None

    async def rest(self) -> list[Sent]:
        found = []
        while event := await self.next():
            found.append(event)
        return found

    async def until(self, name: str) -> list[Sent]:
        found: list[Sent] = []
        while not found or found[-1].name != name:
            event = await self.next()
            assert event is not None, found
            found.append(event)
        return found


@contextlib.asynccontextmanager
async def following(
    client: httpx.AsyncClient, url: str, last_id: str | None = None, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Stream]:
    sent = {**(headers or {}), **({"Last-Event-ID": last_id} if last_id else {})}
    async with client.stream("GET", url, headers=sent) as response:
        if response.status_code not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            await response.aread()
        yield Stream(response)


def names(events: list[Sent]) -> list[str]:
    return [event.name for event in events]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    async with RedisServer(tmp_path_factory.mktemp("redis")) as redis:
        yield redis


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def web(tmp_path_factory: pytest.TempPathFactory, server: RedisServer) -> AsyncIterator[WebProcess]:
    """A web process without a worker, so that jobs change only when a test changes them."""
    async with running_web(
        tmp_path_factory.mktemp("web"),
        server.url,
        event_heartbeat_seconds=HEARTBEAT_SECONDS,
        max_event_streams=MOST,
        max_event_streams_per_address=MOST_PER_ADDRESS,
        send_idle_seconds=60,
    ) as web:
        yield web


@pytest.fixture
async def still(web: WebProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(web.address) as client:
        yield client


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url) as redis:
        yield redis


async def test_a_job_is_told_from_its_beginning_to_its_end(client: httpx.AsyncClient) -> None:
    outputs = json.dumps([{"name": name, "width": 40} for name in ("a", "b", "c")])
    answer = await client.post("/images/", files={"image": ("cat.jpg", picture())}, data={"outputs": outputs})
    job = answer.json()
    async with following(client, job["links"]["events"]) as stream:
        told = await stream.rest()
    headers = stream.response.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
    assert "content-length" not in headers
    assert stream.retries == [2000]
    assert told[0].name == "snapshot"
    assert told[-1].name == "job.done"
    ready = [event for event in told if event.name == "result.ready"]
    shown = (await client.get(job["links"]["self"])).json()
    assert {event.data["name"]: event.data["result"] for event in ready} == shown["results"]
    assert told[-1].data == {**shown, "history": None}
    async with following(client, job["links"]["events"], stream.last_id) as again:
        assert again.response.status_code == HTTPStatus.NO_CONTENT


async def test_one_that_has_ended_is_told_at_once(client: httpx.AsyncClient) -> None:
    job = await done(client)
    async with following(client, job["links"]["events"]) as stream:
        told = await stream.rest()
    assert names(told) == ["snapshot", "result.ready", "job.done"]
    assert [event.last_id for event in told] == ["", "", ""]
    async with following(client, job["links"]["events"], stream.last_id) as again:
        assert again.response.status_code == HTTPStatus.NO_CONTENT


async def test_a_stream_goes_on_where_it_broke_off(still: httpx.AsyncClient) -> None:
    job = await upload(still)
    url = job["links"]["events"]
    async with following(still, url) as stream:
        assert names(await stream.until("snapshot")) == ["snapshot"]
        await stream_reached(stream)
    await still.post(f"/jobs/{job['id']}/cancel")
    async with following(still, url, stream.last_id) as second:
        told = await second.rest()
    assert names(told) == ["job.cancelled"]
    assert told[0].data["status"] == "CANCELLED"
    query = f"{url}?last_event_id={stream.last_id}"
    async with following(still, query) as third:  # with neither snapshot nor loss, however often
        assert await third.rest() == told


async def stream_reached(stream: Stream) -> None:
    """Reads on until the stream has said from where it can be resumed: at the latest with the next sign of life."""
    task = asyncio.ensure_future(stream.next())
    await wait_until(lambda: bool(stream.last_id))
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("last_id", ["1-1", "0-0", "99999999999999-0", "nonsense", "184467440737095516160-0"])
async def test_an_id_that_is_not_there_leads_to_a_reset(still: httpx.AsyncClient, last_id: str) -> None:
    job = await upload(still)
    async with following(still, job["links"]["events"], last_id) as stream:
        told = await stream.until("snapshot")
    assert names(told) == ["reset", "snapshot"]
    assert told[1].data["id"] == job["id"]


async def test_several_jobs_in_one_stream(still: httpx.AsyncClient) -> None:
    first, second, other = [await upload(still) for _ in range(3)]
    async with following(still, f"/events?job={first['id']}&job={second['id']}&job={first['id']}") as stream:
        told = [await stream.next(), await stream.next()]
        assert [event and (event.name, event.data["id"]) for event in told] == [
            ("snapshot", first["id"]),
            ("snapshot", second["id"]),
        ]
        await still.post(f"/jobs/{other['id']}/cancel")
        await still.post(f"/jobs/{first['id']}/cancel")
        await still.delete(f"/jobs/{second['id']}")
        assert [(event.name, event.data["id"]) for event in await stream.rest()] == [
            ("job.cancelled", first["id"]),
            ("job.removed", second["id"]),
        ]


async def test_all_jobs_of_a_tenant_and_none_of_another(tmp_path: Path, server: RedisServer) -> None:
    storage = FileStorage(tmp_path / "data")
    (tmp_path / "data").mkdir()
    await storage.identity()
    keys = [(await KeyStore(storage).create(tenant, Scope))[0] for tenant in ("shop", "other")]
    mine, theirs = ({"Authorization": f"Bearer {key}"} for key in keys)
    async with (
        running_web(tmp_path, server.url, redis_prefix=tmp_path.name, event_heartbeat_seconds=0.2) as web,
        http_client(web.address) as client,
    ):

        async def are_known() -> bool:
            return (await client.get("/jobs", headers=mine)).status_code == HTTPStatus.OK

        await wait_until(are_known, 10 * LOOK_SECONDS)

        async def job_of(headers: dict[str, str]) -> str:
            answer = await client.post("/images/", files={"image": ("cat.jpg", picture())}, headers=headers)
            return str(answer.json()["id"])

        await job_of(theirs)  # without any event yet, there is nothing to go on from
        async with following(client, "/events", headers=mine) as stream:
            await stream_reached(stream)
        foreign, own = await job_of(theirs), await job_of(mine)
        async with following(client, "/events", stream.last_id, mine) as second:
            told = await second.next()
            assert told is not None
            assert (told.name, told.data) == ("job.waiting", {"id": own, "status": "WAITING"})
        for url in (f"/jobs/{foreign}/events", f"/events?job={own}&job={foreign}"):
            for last_id in (None, stream.last_id, "1-1"):
                async with following(client, url, last_id, mine) as refused:
                    assert refusal(refused.response) == Refusal(404, "unknown_job")


async def test_quiet_streams_show_that_they_are_alive(still: httpx.AsyncClient) -> None:
    job = await upload(still)
    async with following(still, job["links"]["events"]) as stream:
        await stream.until("snapshot")
        reading = asyncio.ensure_future(stream.next())
        await wait_until(lambda: stream.heartbeats >= 3)
        await still.post(f"/jobs/{job['id']}/cancel")
        event = await reading
        assert event is not None
        assert event.name == "job.cancelled"


async def test_a_wiped_redis_is_a_reset(web: WebProcess, still: httpx.AsyncClient, redis: Redis) -> None:
    job = await upload(still)
    record = f"quickthumb:job:{job['id']}"
    async with following(still, job["links"]["events"]) as stream:
        await stream.until("snapshot")
        kept = await redis.dump(record)
        await redis.flushall()
        assert names(await stream.until("reset")) == ["reset"]
        await redis.restore(record, 0, kept)  # as a rebuild does, without an event
        told = await stream.until("snapshot")
        assert told[-1].data["id"] == job["id"]
        assert (await still.delete(f"/jobs/{job['id']}")).status_code == HTTPStatus.NO_CONTENT
        assert names(await stream.rest()) == ["job.removed"]


async def test_a_redis_that_goes_and_comes_back_is_no_error(tmp_path: Path) -> None:
    async with (
        RedisServer(tmp_path / "redis") as redis,
        running_web(tmp_path, redis.url, event_heartbeat_seconds=0.2) as web,
        http_client(web.address) as client,
    ):
        job = await upload(client)
        async with following(client, job["links"]["events"]) as stream:
            await stream.until("snapshot")
            await redis.stop()
            reading = asyncio.ensure_future(stream.next())
            before = stream.heartbeats
            await wait_until(lambda: stream.heartbeats > before + 1)
            await redis.start()

            async def is_cancelled() -> bool:
                return (await client.post(f"/jobs/{job['id']}/cancel")).status_code == HTTPStatus.ACCEPTED

            await wait_until(is_cancelled, 20)
            told = [event for event in [await reading, *await stream.rest()] if event is not None]
            assert told[-1].name == "job.cancelled"


async def test_at_a_shutdown_streams_end_and_others_go_on(tmp_path: Path, server: RedisServer) -> None:
    prefix = tmp_path.name
    async with running_web(tmp_path / "a", server.url, redis_prefix=prefix) as first, http_client(first.address) as one:
        job = await upload(one)
        async with following(one, job["links"]["events"]) as stream:
            await stream.until("snapshot")
            first.process.send_signal(signal.SIGTERM)
            assert await stream.rest() == []
            assert len(stream.retries) == 2
        first.process.wait(timeout=20)
        assert "Traceback" not in first.log.read_text()
        assert "cut off" not in first.log.read_text()
    async with Redis.from_url(server.url) as redis:
        await redis.delete(f"{prefix}:storage")  # the second process has a folder of its own
    async with (
        running_web(tmp_path / "b", server.url, redis_prefix=prefix) as second,
        http_client(second.address) as two,
        following(two, job["links"]["events"], stream.last_id) as resumed,
    ):
        await two.delete(job["links"]["self"])
        assert names(await resumed.rest()) == ["job.removed"]


async def test_a_client_that_does_not_read_costs_bounded_memory(
    web: WebProcess, still: httpx.AsyncClient, redis: Redis
) -> None:
    async with connection(web.address) as slow, following(still, "/events") as quick:
        await slow.head("GET /events")
        await slow._reader.readuntil(b"id: ")  # now it listens
        await stream_reached(quick)
        before = web.process.memory_info().rss
        entry: Any = {"kind": "jobs", "id": "0" * 32, "status": "WAITING", "tenant": "", "attempt": ""}
        # More than the system keeps for a connection whose client does not read.
        for _ in range(30):
            async with redis.pipeline(transaction=False) as pipeline:
                for _ in range(1000):
                    pipeline.xadd(KEYS.events, entry, maxlen=10_000)
                await pipeline.execute()
        assert web.process.memory_info().rss - before < 16 * 1024 * 1024
        await still.get("/healthz")
        # What waits for it in the system comes first. Then it is told that it has missed something.
        read = b""
        async with asyncio.timeout(60):
            while b"event: reset" not in read:
                read = read[-100:] + await slow._reader.read(1_000_000)

        async def is_told_of_an_upload() -> bool:
            # It may fall behind once more, and is then told so in place of what happened meanwhile.
            nonlocal read
            job_id = (await upload(still))["id"].encode()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3):
                    while job_id not in read:
                        read = read[-100:] + await slow._reader.read(1_000_000)
            return job_id in read

        await wait_until(is_told_of_an_upload, 60)


async def test_there_are_only_so_many_streams(web: WebProcess, still: httpx.AsyncClient) -> None:
    job = (await upload(still))["links"]["events"]

    async def opened(stack: contextlib.AsyncExitStack, at: httpx.AsyncClient) -> Stream:
        return await stack.enter_async_context(following(at, job))

    async with http_client(web.address, from_address=OTHER) as other, contextlib.AsyncExitStack() as stack:
        for _ in range(MOST_PER_ADDRESS):
            assert (await opened(stack, still)).response.status_code == HTTPStatus.OK
        refused = await opened(stack, still)
        assert refusal(refused.response) == Refusal(429, "too_many_streams")
        for _ in range(MOST - MOST_PER_ADDRESS):
            assert (await opened(stack, other)).response.status_code == HTTPStatus.OK
        refused = await opened(stack, other)
        assert refusal(refused.response) == Refusal(503, "streams_full")
        assert refused.response.headers["retry-after"] == "10"

    async def has_room() -> bool:
        async with following(still, job) as stream:
            return stream.response.status_code == HTTPStatus.OK

    await wait_until(has_room)


async def test_what_cannot_be_followed(still: httpx.AsyncClient) -> None:
    for url in ("/jobs/nonsense/events", f"/jobs/{'0' * 32}/events", "/events?job=x"):
        assert refusal(await still.get(url)) == Refusal(404, "unknown_job")
    many = "&".join(f"job={number:032x}" for number in range(101))
    assert refusal(await still.get(f"/events?{many}")) == Refusal(422, "invalid_parameter", "job")


async def test_head_has_no_body(still: httpx.AsyncClient) -> None:
    job = await upload(still)
    answer = await still.head(job["links"]["events"])
    assert (answer.status_code, answer.content) == (HTTPStatus.OK, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
