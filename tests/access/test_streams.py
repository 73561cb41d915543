"""Streams of events end with what opened them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest_asyncio

from quickthumb.model.caller import Scope
from quickthumb.model.job import now
from quickthumb.service.keys import KeyStore
from quickthumb.storage import FileStorage
from tests.access.guarded import SECRET, bearer, signed, upload
from tests.conftest import http_client, picture
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web_process import WebProcess, running_web

HEARTBEAT_SECONDS = 0.5
ENOUGH_SECONDS = 20


@pytest_asyncio.fixture
async def web(tmp_path: Path) -> AsyncIterator[WebProcess]:
    """A web process without keys and without a worker, so that no stream ends because its job does."""
    async with (
        RedisServer(tmp_path) as redis,
        running_web(tmp_path, redis.url, event_heartbeat_seconds=HEARTBEAT_SECONDS, url_secrets=SECRET) as web,
    ):
        yield web


@pytest_asyncio.fixture
async def client(web: WebProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(web.address) as client:
        yield client


async def asked(client: httpx.AsyncClient, key: str | None = None) -> int:
    return (await client.get("/jobs", headers=bearer(key) if key else {})).status_code


async def new_key(web: WebProcess, client: httpx.AsyncClient) -> str:
    """A key that the web process knows."""
    text, _ = await KeyStore(FileStorage(web.data)).create("default", [Scope.ADMIN])

    async def is_known() -> bool:
        return (await asked(client), await asked(client, text)) == (HTTPStatus.UNAUTHORIZED, HTTPStatus.OK)

    await wait_until(is_known)
    return text


async def rest_of(stream: httpx.Response) -> str:
    async with asyncio.timeout(ENOUGH_SECONDS):
        return (await stream.aread()).decode()


async def test_a_stream_ends_when_its_key_is_revoked(web: WebProcess, client: httpx.AsyncClient) -> None:
    revoked, other = await new_key(web, client), await new_key(web, client)
    async with client.stream("GET", "/events", headers=bearer(revoked)) as stream:
        assert stream.status_code == HTTPStatus.OK
        store = KeyStore(FileStorage(web.data))
        (key,) = [key for key in await store.all() if key.id in revoked]
        await store.end(key, now())

        async def is_ended() -> bool:
            return await asked(client, revoked) == HTTPStatus.UNAUTHORIZED

        await wait_until(is_ended)
        await upload(client, other, picture())
        assert "job.waiting" not in await rest_of(stream)


async def test_a_stream_of_before_the_first_key_ends_with_it(web: WebProcess, client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/events") as stream:
        await new_key(web, client)
        await rest_of(stream)


async def test_a_stream_ends_when_its_signed_url_expires(web: WebProcess, client: httpx.AsyncClient) -> None:
    job_id = await upload(client, await new_key(web, client), picture())
    path, expires = f"/jobs/{job_id}/events", int(time.time()) + 3
    async with client.stream("GET", f"{path}?{signed('GET', path, f'expires={expires}')}") as stream:
        assert stream.status_code == HTTPStatus.OK
        told = await rest_of(stream)
    assert json.loads(told.partition("data: ")[2].partition("\n")[0])["id"] == job_id
    assert time.time() >= expires
