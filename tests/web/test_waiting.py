"""Requests that wait for their job: how many may, and what becomes of those whose client hangs up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.conftest import http_client, picture
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web.conftest import upload
from tests.web.sockets import connection
from tests.web_process import WebProcess, running_web

IMAGE = picture(64, 48)
JPEG = {"Content-Type": "image/jpeg"}
# Longer than any of these tests takes.
LONG = "wait=60"
MOST, MOST_PER_ADDRESS = 3, 2
HERE, OTHER, THIRD = "127.0.0.1", "127.0.0.2", "127.0.0.3"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def narrow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebProcess]:
    """A web process without a worker, in which few requests may wait."""
    folder = tmp_path_factory.mktemp("narrow")
    async with (
        RedisServer(folder) as redis,
        running_web(folder, redis.url, max_waits=MOST, max_waits_per_address=MOST_PER_ADDRESS) as web,
    ):
        yield web


@pytest.fixture
async def client(narrow: WebProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(narrow.address) as client:
        yield client


async def waits(client: httpx.AsyncClient, job: str) -> bool:
    """Whether a further request would wait."""
    return "preference-applied" in (await client.get(job, headers={"Prefer": "wait=1"})).headers


async def number_of_jobs(client: httpx.AsyncClient) -> int:
    return len((await client.get("/jobs", params={"limit": 100})).json()["jobs"])


async def has_more_jobs(client: httpx.AsyncClient, than: int) -> bool:
    return await number_of_jobs(client) > than


def asks_for(job: str) -> bytes:
    return f"GET {job} HTTP/1.1\r\nHost: 127.0.0.1\r\nPrefer: {LONG}\r\n\r\n".encode()


async def fill(
    stack: contextlib.AsyncExitStack, web: WebProcess, client: httpx.AsyncClient, job: str, asked: bytes, at: str = HERE
) -> None:
    """Opens connections from an address, and sends on each what is `asked`, until the client may not wait as well."""

    async def is_full_with_one_more() -> bool:
        held = await stack.enter_async_context(connection(web.address, at))
        stack.callback(held.break_off)
        before = await number_of_jobs(client)
        await held.send(asked)
        if asked.startswith(b"POST"):  # else the question below would take the place before the upload has arrived
            await wait_until(lambda: has_more_jobs(client, before))
        return not await waits(client, job)

    await wait_until(is_full_with_one_more, seconds=30)


async def test_beyond_the_limit_the_answer_comes_at_once(narrow: WebProcess, client: httpx.AsyncClient) -> None:
    job = (await upload(client))["links"]["self"]
    assert await waits(client, job)
    async with contextlib.AsyncExitStack() as stack:
        await fill(stack, narrow, client, job, asks_for(job))
        answer = await client.get(job, params={"wait": 60})
        assert (answer.status_code, answer.json()["status"], answer.headers["retry-after"]) == (200, "WAITING", "1")
        posted = await client.post("/images/", params={"wait": 60}, content=IMAGE, headers=JPEG)
        assert (posted.status_code, posted.json()["status"], posted.headers["retry-after"]) == (202, "WAITING", "1")
        preferring = await client.post("/images/", content=IMAGE, headers={**JPEG, "Prefer": LONG})
        assert "preference-applied" not in preferring.headers


async def test_each_address_has_a_limit_and_all_have_one(narrow: WebProcess, client: httpx.AsyncClient) -> None:
    job = (await upload(client))["links"]["self"]
    async with http_client(narrow.address, from_address=OTHER) as other, contextlib.AsyncExitStack() as stack:
        await fill(stack, narrow, other, job, asks_for(job), OTHER)
        assert await waits(client, job)
        await fill(stack, narrow, client, job, asks_for(job), THIRD)


@pytest.mark.parametrize(
    "behind", [b"", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 2], ids=["alone", "pipelining"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_client_that_hangs_up_gives_its_place_back(
    narrow: WebProcess, client: httpx.AsyncClient, method: str, behind: bytes
) -> None:
    job = (await upload(client))["links"]["self"]
    asked = asks_for(job)
    if method == "POST":
        about = f"Content-Type: image/jpeg\r\nContent-Length: {len(IMAGE)}\r\nPrefer: {LONG}"
        asked = f"POST /images/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{about}\r\n\r\n".encode() + IMAGE
    async with contextlib.AsyncExitStack() as stack:
        await fill(stack, narrow, client, job, asked + behind)
    await wait_until(lambda: waits(client, job))
    assert "Traceback" not in narrow.log.read_text()


async def test_a_request_behind_one_that_waits_is_answered_after_it(
    narrow: WebProcess, client: httpx.AsyncClient
) -> None:
    job = (await upload(client))["links"]["self"]
    async with connection(narrow.address) as sending:
        await sending.head(f"GET {job}", Prefer=LONG)
        await sending.head("GET /healthz")
        early = asyncio.create_task(sending.answer())
        assert (await client.post(f"{job}/cancel")).status_code == 202
        assert (await early).json()["status"] == "CANCELLED"
        assert (await sending.answer()).json() == {"status": "ok"}
