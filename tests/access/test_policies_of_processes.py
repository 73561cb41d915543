"""Policies where several processes share a Redis and a storage, and some of them die."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from quickthumb.http.policies import HEADER
from quickthumb.model.caller import Scope
from quickthumb.queue.keys import KEYS
from quickthumb.service.keys import KeyStore
from quickthumb.storage import FileStorage
from tests.access.test_policies import IMAGE, code_of, policy
from tests.access.test_signed_urls import NEW
from tests.conftest import http_client, picture
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web.sockets import connection
from tests.web_process import WebProcess, running_web

IN_USE = (HTTPStatus.CONFLICT, "policy_in_use")
USED = (HTTPStatus.FORBIDDEN, "policy_used")


@pytest_asyncio.fixture
async def redis_server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with RedisServer(tmp_path) as server:
        yield server


@asynccontextmanager
async def two_processes(folder: Path, redis_url: str) -> AsyncIterator[tuple[WebProcess, WebProcess]]:
    """Two web processes of one deployment, which has a key."""
    (folder / "data").mkdir(exist_ok=True)
    storage = FileStorage(folder / "data")
    await storage.identity()
    await KeyStore(storage).create("shop", [Scope.ADMIN])
    async with (
        running_web(folder, redis_url, url_secrets=NEW) as one,
        running_web(folder, redis_url, url_secrets=NEW) as other,
    ):
        yield one, other


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[WebProcess, WebProcess]]:
    """The two that most tests share."""
    folder = tmp_path_factory.mktemp("pair")
    async with RedisServer(folder) as server, two_processes(folder, server.url) as pair:
        yield pair


def accepted_jobs(web: WebProcess) -> int:
    return len([*(web.data / "uploads").glob("*/*/job.json")])


async def test_used_once_means_once_in_all_processes(pair: tuple[WebProcess, WebProcess]) -> None:
    text, before = policy(), accepted_jobs(pair[0])
    async with http_client(pair[0].address) as one, http_client(pair[1].address) as other:
        uploads = [client.post("/images/", files=IMAGE, headers={HEADER: text}) for client in (one, other) * 8]
        answers = await asyncio.gather(*uploads)
        accepted = [answer for answer in answers if answer.status_code == HTTPStatus.ACCEPTED]
        assert len(accepted) == 1
        assert {code_of(answer) for answer in answers if answer not in accepted} <= {IN_USE, USED}
        assert code_of(await other.post("/images/", files=IMAGE, headers={HEADER: text})) == USED
    assert accepted_jobs(pair[0]) == before + 1


async def test_a_process_that_dies_in_the_middle_of_an_upload_gives_the_use_back(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    text, redis = policy(), Redis.from_url(redis_server.url)
    async with (
        two_processes(tmp_path, redis_server.url) as (one, other),
        connection(one.address) as link,
        http_client(other.address) as client,
    ):
        await link.head("POST /images/", Upload_Policy=text, Content_Type="image/jpeg", Content_Length=len(picture()))
        await link.send(picture()[:500])

        async def answer() -> tuple[int, str]:
            return code_of(await client.post("/images/", files=IMAGE, headers={HEADER: text}))

        names: list[bytes] = []

        async def is_claimed() -> bool:
            names[:] = await redis.keys(KEYS.policy("*"))
            return bool(names)

        await wait_until(is_claimed)
        assert await answer() == IN_USE
        one.process.kill()
        one.process.wait(timeout=20)
        assert await answer() == IN_USE
        assert await redis.pttl(names[0]) <= 30_000
        await redis.pexpire(names[0], 1)  # as if that time were over
        await wait_until(lambda: _is_gone(redis, names[0]))
        upload = await client.post("/images/", files=IMAGE, headers={HEADER: text})
        assert upload.status_code == HTTPStatus.ACCEPTED
        assert await answer() == USED
        await redis.flushall()
        assert await answer() == USED
    await redis.aclose()


async def _is_gone(redis: Redis, name: bytes) -> bool:
    return not await redis.exists(name)


async def test_a_client_that_hangs_up_gives_the_use_back(pair: tuple[WebProcess, WebProcess]) -> None:
    text = policy()
    async with connection(pair[0].address) as link, http_client(pair[1].address) as client:
        await link.head("POST /images/", Upload_Policy=text, Content_Type="image/jpeg", Content_Length=len(picture()))
        await link.send(picture()[:500])
        link.break_off()

        async def is_accepted() -> bool:
            answer = await client.post("/images/", files=IMAGE, headers={HEADER: text})
            return answer.status_code == HTTPStatus.ACCEPTED

        await wait_until(is_accepted)


@pytest.mark.parametrize("text", ["x", policy("another-secret-" * 4), policy(expires=1)])
async def test_what_is_wrong_in_the_head_is_refused_before_the_body(
    pair: tuple[WebProcess, WebProcess], text: str
) -> None:
    async with connection(pair[0].address) as link:
        await link.head("POST /images/", Upload_Policy=text, Content_Type="image/jpeg", Content_Length=10_000_000)
        assert code_of(await link.answer()) == (HTTPStatus.FORBIDDEN, "invalid_policy")
    used = policy()
    async with http_client(pair[0].address) as client, connection(pair[1].address) as link:
        await client.post("/images/", files=IMAGE, headers={HEADER: used})
        await link.head("POST /images/", Upload_Policy=used, Content_Type="image/jpeg", Content_Length=10_000_000)
        assert code_of(await link.answer()) == USED


async def test_a_policy_in_a_form_is_refused_before_the_image(pair: tuple[WebProcess, WebProcess]) -> None:
    before = pair[0].kept()
    wrong = policy("another-secret-" * 4)
    field = f'--b\r\nContent-Disposition: form-data; name="policy"\r\n\r\n{wrong}\r\n'
    async with connection(pair[0].address) as link:
        await link.head("POST /images/", Content_Type="multipart/form-data; boundary=b", Content_Length=10_000_000)
        await link.send(field.encode())
        await link.send(b"--b\r\n")
        assert code_of(await link.answer()) == (HTTPStatus.FORBIDDEN, "invalid_policy")
    assert pair[0].kept() == before


async def test_below_a_prefix_a_policy_is_the_same_and_the_links_are_good(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with (
        running_web(tmp_path, redis_server.url, url_secrets=NEW, root_path="/thumbs") as web,
        http_client(web.address) as client,
    ):
        for prefix in ("/thumbs", ""):  # as a proxy passes it on that keeps the prefix, or strips it
            accepted = await client.post(f"{prefix}/images/", data={"policy": policy()}, files=IMAGE)
            link = accepted.json()["links"]["self"]
            assert link.startswith("/thumbs/jobs/")
            assert (await client.get(link)).status_code == HTTPStatus.OK
            assert (await client.get(link.removeprefix("/thumbs"))).status_code == HTTPStatus.OK


async def test_a_service_that_is_open_takes_policies_too(tmp_path: Path, redis_server: RedisServer) -> None:
    async with (
        running_web(tmp_path, redis_server.url, url_secrets=NEW) as web,
        http_client(web.address) as client,
    ):
        assert (await client.post("/images/", data={"width": "9"}, files=IMAGE)).status_code == HTTPStatus.ACCEPTED
        text = policy()
        assert (await client.post("/images/", data={"policy": text}, files=IMAGE)).status_code == HTTPStatus.ACCEPTED
        assert code_of(await client.post("/images/", data={"policy": text}, files=IMAGE)) == USED
