"""Originals leave the service without the place where they were taken, and otherwise as they came."""

import hashlib
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import HTTP

import httpx
import pytest
import pytest_asyncio

from tests.conftest import http_client, picture
from tests.imaging.location.files import FILES, TRACES
from tests.redis_server import RedisServer
from tests.web.conftest import upload
from tests.web_process import running_web

KINDS = ["jpeg-exif", "mpo", "png-xmp-packed", "webp-xmp", "tiff", "avif", "gif"]


@pytest.fixture(params=KINDS)
def data(request: pytest.FixtureRequest) -> bytes:
    return FILES[request.param]()


@pytest.fixture
async def address(waiting: httpx.AsyncClient, data: bytes) -> str:
    job = await upload(waiting, data=data)
    assert job["source"]["sha256"] == hashlib.sha256(data).hexdigest()
    url: str = job["links"]["original"]
    return url


async def test_an_original_has_its_length_and_no_place(waiting: httpx.AsyncClient, address: str, data: bytes) -> None:
    answer = await waiting.get(address)
    assert int(answer.headers["content-length"]) == len(answer.content) == len(data)
    assert [trace for trace in TRACES if trace in answer.content] == []
    head = await waiting.head(address)
    assert (head.headers["etag"], head.headers["content-length"]) == (answer.headers["etag"], str(len(data)))


async def test_ranges_are_parts_of_what_is_served(waiting: httpx.AsyncClient, address: str) -> None:
    whole = (await waiting.get(address)).content
    spans = [(at, min(at + 99, len(whole) - 1)) for at in range(0, min(len(whole), 3000), 100)]
    for first, last in spans:
        answer = await waiting.get(address, headers={"Range": f"bytes={first}-{last}"})
        assert (answer.status_code, answer.content) == (206, whole[first : last + 1])
    wanted = ",".join(f"{first}-{last}" for first, last in spans[::2])
    several = await waiting.get(address, headers={"Range": f"bytes={wanted}"})
    head = f"Content-Type: {several.headers['content-type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + several.content, policy=HTTP).iter_parts()
    assert [part.get_content() for part in parts] == [whole[first : last + 1] for first, last in spans[::2]]


async def test_its_tag_is_that_of_the_served_bytes(waiting: httpx.AsyncClient, address: str) -> None:
    whole = await waiting.get(address)
    tag = whole.headers["etag"]
    assert (await waiting.get(address, headers={"If-None-Match": tag})).status_code == 304
    stored = f'"{tag.strip(chr(34)).rpartition("-")[0]}"'  # of the bytes before they are patched
    assert (await waiting.get(address, headers={"If-None-Match": stored})).status_code == 200
    answer = await waiting.get(address, headers={"Range": "bytes=0-9", "If-Range": tag})
    assert (answer.status_code, answer.content) == (206, whole.content[:10])
    answer = await waiting.get(address, headers={"Range": "bytes=0-9", "If-Range": stored})
    assert (answer.status_code, answer.content) == (200, whole.content)


async def test_an_original_without_a_place_is_served_as_it_came(waiting: httpx.AsyncClient) -> None:
    job = await upload(waiting)
    assert (await waiting.get(job["links"]["original"])).content == picture()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def keeping(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a web process that serves originals as they were uploaded."""
    folder = tmp_path_factory.mktemp("keeping")
    async with RedisServer(folder) as redis, running_web(folder, redis.url, original_metadata="keep") as web:
        yield web.address


async def test_a_setting_serves_originals_as_they_came(keeping: str, data: bytes) -> None:
    async with http_client(keeping) as client:
        job = await upload(client, data=data)
        answer = await client.get(job["links"]["original"])
        assert answer.content == data
        assert hashlib.sha256(answer.content).hexdigest() == job["source"]["sha256"]
