"""Quotas over HTTP: by key, by tenant and by address, and what answers tell of them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from quickthumb.client import AsyncClient, Problem
from quickthumb.model.allowance import NO_QUOTAS, Quotas
from quickthumb.model.caller import Scope
from quickthumb.model.quota import UNENDED, Policy, subject_of
from quickthumb.queue.keys import KEYS
from quickthumb.service.keys import KeyStore
from quickthumb.storage import FileStorage
from tests.conftest import http_client, picture, running_service
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web_process import running_web

JPEG = {"Content-Type": "image/jpeg"}
THUMBNAIL_PIXELS = 128 * 96
ALL = [Scope.ADMIN]
NO_HEADERS: Mapping[str, str] = {}
Demands = Mapping[str, int]
NOTHING: Demands = {}


async def key_with(folder: Path, quotas: Quotas = NO_QUOTAS, tenant: str = "shop") -> dict[str, str]:
    """The header of a new key in the data folder of a service that is to be started."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    storage = FileStorage(folder / "data")
    await storage.identity()
    text, _ = await KeyStore(storage).create(tenant, ALL, quotas=quotas)
    return {"Authorization": f"Bearer {text}"}


@contextlib.asynccontextmanager
async def web(
    folder: Path, quotas: Demands = NOTHING, **settings: object
) -> AsyncIterator[tuple[httpx.AsyncClient, Redis]]:
    """A client of a web process with these settings and no worker, and its Redis."""
    words: Any = {"quotas": json.dumps(quotas), **settings}
    async with (
        RedisServer(folder) as server,
        running_web(folder, server.url, **words) as process,
        http_client(process.address) as client,
        Redis.from_url(server.url) as redis,
    ):
        yield client, redis


async def upload(
    client: httpx.AsyncClient, headers: Mapping[str, str] = NO_HEADERS, image: bytes | None = None
) -> httpx.Response:
    return await client.post("/images/", content=image or picture(), headers={**JPEG, **headers})


def assert_refused(answer: httpx.Response, *quotas: str) -> None:
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS, answer.text
    problem = answer.json()
    assert (problem["code"], problem["violated-policies"]) == ("quota_exceeded", list(quotas))
    assert all(quota in problem["detail"] for quota in quotas)
    assert answer.headers["ratelimit-policy"].startswith('"')
    assert answer.headers["ratelimit"].startswith('"')


async def test_requests_per_minute_by_address(tmp_path: Path) -> None:
    async with web(tmp_path, quotas={"requests_per_minute": 3}) as (client, _):
        answers = [await client.get("/jobs") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers[:3]] == [
            f'"requests_per_minute";r={left}' for left in (2, 1, 0)
        ]
        assert answers[0].headers["ratelimit-policy"] == '"requests_per_minute";q=3;w=60'
        assert_refused(answers[3], "requests_per_minute")
        assert 1 <= int(answers[3].headers["retry-after"]) <= 20
        assert (await upload(client)).status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert (await client.get("/healthz")).status_code == HTTPStatus.OK
        async with http_client(str(client.base_url), from_address="127.0.0.2") as other:
            assert (await other.get("/jobs")).status_code == HTTPStatus.OK
            scraped = (await other.get("/metrics")).text
    assert 'quickthumb_quota_refusals_total{quota="requests_per_minute"} 2.0' in scraped


async def test_a_large_quota_is_taken_in_portions(tmp_path: Path) -> None:
    async with web(tmp_path, quotas={"requests_per_minute": 500}) as (client, redis):
        await client.get("/jobs")
        before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
        left = [int((await client.get("/jobs")).headers["ratelimit"].split(";")[1][2:]) for _ in range(9)]
        assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] == before
        assert left == list(range(498, 489, -1))


async def test_the_quotas_of_a_key_override_those_for_all(tmp_path: Path) -> None:
    generous = await key_with(tmp_path, Quotas(requests_per_minute=5))
    plain = await key_with(tmp_path)
    async with web(tmp_path, quotas={"requests_per_minute": 2}) as (client, _):
        for headers, allowed in ((generous, 5), (plain, 2)):
            answers = [await client.get("/jobs", headers=headers) for _ in range(allowed + 1)]
            assert [answer.status_code for answer in answers] == [200] * allowed + [429]


async def test_the_quota_of_a_tenant_is_for_all_its_keys_together(tmp_path: Path) -> None:
    one, two = await key_with(tmp_path), await key_with(tmp_path)
    other = await key_with(tmp_path, tenant="other")
    tenants = json.dumps({"shop": {"quotas": {"requests_per_minute": 3}}})
    async with web(tmp_path, tenants=tenants) as (client, _):
        keys = (one, two, one, two, other)
        answers = [await client.get("/jobs", headers=headers) for headers in keys]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 200]
        assert_refused(answers[3], "tenant_requests_per_minute")
        assert "ratelimit" not in answers[4].headers


async def test_uploads_are_charged_when_they_are_accepted(tmp_path: Path) -> None:
    async with web(tmp_path, quotas={"uploads_per_hour": 2}) as (client, _):
        refused = await upload(client, image=b"no picture at all")
        assert refused.status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        key = {"Idempotency-Key": "one"}
        first = await upload(client, key)
        assert first.status_code == HTTPStatus.ACCEPTED
        assert first.headers["ratelimit-policy"] == '"uploads_per_hour";q=2;w=3600'
        assert first.headers["ratelimit"].startswith('"uploads_per_hour";r=1')
        again = await upload(client, key)
        assert again.json()["id"] == first.json()["id"]
        assert (await upload(client)).status_code == HTTPStatus.ACCEPTED
        last = await upload(client)
        assert_refused(last, "uploads_per_hour")
        assert 1700 < int(last.headers["retry-after"]) <= 1800
        # What was accepted before needs no quota.
        assert (await upload(client, key)).json()["id"] == first.json()["id"]
        assert (await client.get("/jobs")).status_code == HTTPStatus.OK


async def test_bytes_are_refused_before_they_are_read_if_the_head_tells(tmp_path: Path) -> None:
    image = picture()
    async with web(tmp_path, quotas={"upload_bytes_per_day": 2 * len(image) - 1}) as (client, redis):
        assert (await upload(client)).headers["ratelimit"] == f'"upload_bytes_per_day";r={len(image) - 1}'
        form = {"image": ("cat.jpg", image, "image/jpeg")}
        for answer in (await upload(client), await client.post("/images/", files=form)):
            assert_refused(answer, "upload_bytes_per_day")
            assert int(answer.headers["retry-after"]) > 0
        small = picture(40, 30)
        assert (await upload(client, image=small)).status_code == HTTPStatus.ACCEPTED
        head = await answer_to_head(client.base_url.port or 0, 2 * len(image))
        assert head.startswith("HTTP/1.1 429 ")
        assert "retry-after" not in head.lower()
        assert "this request alone needs more" in head
        assert await redis.zcard(KEYS.queue) == 2


async def answer_to_head(port: int, length: int) -> str:
    """What is answered to an upload of which only the head is sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /images/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(20):
        answer = await reader.readuntil(b"}")
    writer.close()
    return answer.decode()


async def test_pixels_of_outputs(tmp_path: Path) -> None:
    async with web(tmp_path, quotas={"output_pixels_per_hour": 2 * THUMBNAIL_PIXELS}) as (client, _):
        too_much = await client.post("/images/?width=400", content=picture(), headers=JPEG)
        assert_refused(too_much, "output_pixels_per_hour")
        assert "retry-after" not in too_much.headers
        answers = [await upload(client) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert_refused(answers[2], "output_pixels_per_hour")
        assert 'qu="pixels"' in answers[2].headers["ratelimit-policy"]


async def test_jobs_that_have_not_ended(tmp_path: Path) -> None:
    key = await key_with(tmp_path, Quotas(unended_jobs=1))
    async with web(tmp_path) as (client, redis):
        accepted = await upload(client, key)
        assert accepted.headers["ratelimit"] == '"unended_jobs";r=0'
        assert accepted.headers["ratelimit-policy"] == '"unended_jobs";q=1;qu="concurrent-requests"'
        refused = await upload(client, key)
        assert_refused(refused, "unended_jobs")
        assert refused.headers["retry-after"] == "5"
        job = f"/jobs/{accepted.json()['id']}"
        assert (await client.post(f"{job}/cancel", headers=key)).status_code == HTTPStatus.ACCEPTED
        second = await upload(client, key)
        assert second.status_code == HTTPStatus.ACCEPTED
        assert (await client.delete(f"/jobs/{second.json()['id']}", headers=key)).status_code == HTTPStatus.NO_CONTENT
        assert (await upload(client, key)).status_code == HTTPStatus.ACCEPTED
        (place,) = await redis.keys("quickthumb:quota:unended_jobs:*")
        assert place.startswith(b"quickthumb:quota:unended_jobs:key:")


async def test_uploads_at_the_same_time_cannot_exceed_a_quota(tmp_path: Path) -> None:
    async with web(tmp_path, quotas={"unended_jobs": 2, "uploads_per_hour": 4}) as (client, redis):
        answers = await asyncio.gather(*(upload(client) for _ in range(8)))
        assert [answer.status_code for answer in answers].count(HTTPStatus.ACCEPTED) == 2
        assert await redis.zcard(KEYS.queue) == 2
        for answer in answers:
            if answer.status_code == HTTPStatus.ACCEPTED:
                await client.delete(f"/jobs/{answer.json()['id']}")
        # What was refused for the one quota was not taken from the other.
        assert [(await upload(client)).status_code for _ in range(2)] == [HTTPStatus.ACCEPTED] * 2
        kept = [path for path in (tmp_path / "data" / "uploads").rglob("source") if path.is_file()]
        assert len(kept) == 2


@pytest.mark.parametrize("proxies", [1, 2])
async def test_a_forged_address_counts_for_the_real_one(tmp_path: Path, proxies: int) -> None:
    trusted = ",".join(("127.0.0.1", "10.0.0.1")[:proxies])
    behind = "" if proxies == 1 else ", 10.0.0.1"
    async with web(tmp_path, quotas={"requests_per_minute": 2}, trusted_proxies=trusted) as (client, _):
        forged = [f"203.0.113.{number}, 192.0.2.1{behind}" for number in range(3)]
        answers = [await client.get("/jobs", headers={"X-Forwarded-For": hops}) for hops in forged]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        other = await client.get("/jobs", headers={"X-Forwarded-For": f"192.0.2.1, 192.0.2.2{behind}"})
        assert other.status_code == HTTPStatus.OK
        async with http_client(str(client.base_url), from_address="127.0.0.3") as stranger:
            header = {"X-Forwarded-For": "198.51.100.7"}
            untrusted = [await stranger.get("/jobs", headers=header) for _ in range(3)]
            assert [answer.status_code for answer in untrusted] == [200, 200, 429]


async def test_while_redis_is_away_requests_are_let_through(tmp_path: Path) -> None:
    quotas = json.dumps({"requests_per_minute": 1})
    async with RedisServer(tmp_path) as server, running_web(tmp_path, server.url, quotas=quotas) as process:
        async with http_client(process.address) as client:
            assert [(await client.get("/presets")).status_code for _ in range(2)] == [200, 429]
        await server.stop()
        async with http_client(process.address, from_address="127.0.0.2") as client:
            answers = [await client.get("/presets") for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 200]
            assert (await client.get("/jobs")).json()["code"] == "queue_unavailable"


async def test_stored_bytes_and_unended_jobs_with_a_worker(tmp_path: Path) -> None:
    image = picture()
    quotas = {"stored_bytes": 2 * len(image), "unended_jobs": 5}
    with running_service(tmp_path, quotas=json.dumps(quotas)) as address:
        async with http_client(address) as client:
            first = await client.post("/images/?wait=20", content=image, headers=JPEG)
            assert first.json()["status"] == "DONE"
            assert '"unended_jobs";r=4' in first.headers["ratelimit"]
            refused = await upload(client)
            assert_refused(refused, "stored_bytes")
            assert refused.headers["retry-after"] == "60"
            assert (await client.delete(f"/jobs/{first.json()['id']}")).status_code == HTTPStatus.NO_CONTENT
            accepted = await upload(client)
            assert accepted.headers["ratelimit"].startswith(f'"unended_jobs";r=4, "stored_bytes";r={len(image)}')


async def test_a_wiped_redis_counts_the_jobs_of_keys_again(tmp_path: Path) -> None:
    key = await key_with(tmp_path, Quotas(unended_jobs=1, stored_bytes=10**6))
    async with RedisServer(tmp_path / "redis") as server, Redis.from_url(server.url) as redis:
        with running_service(tmp_path, redis_url=server.url, housekeeping_seconds=0.2) as address:
            async with http_client(address) as client:
                first = await client.post("/images/?wait=20", content=picture(), headers={**JPEG, **key})
                assert first.json()["status"] == "DONE"
                (place,) = await redis.keys("quickthumb:quota:stored_bytes:key:*[^s]")
                before = int(await redis.hget(place, "total"))
                await redis.flushall()

                async def is_counted_again() -> bool:
                    return int(await redis.hget(place, "total") or 0) == before

                await wait_until(is_counted_again, seconds=60)


async def test_the_client_waits_as_it_is_told(tmp_path: Path) -> None:
    async with web(tmp_path, quotas={"requests_per_minute": 90, "upload_bytes_per_day": 100}) as (client, _):
        while (await client.get("/jobs")).status_code == HTTPStatus.OK:
            pass
        async with AsyncClient(str(client.base_url)) as own:
            assert "thumbnail" in await own.presets()  # about 0.7 s later
            with pytest.raises(Problem) as refused:
                await own.upload(picture(), filename="cat.jpg")
            assert (refused.value.code, refused.value.retry_after_seconds) == ("quota_exceeded", None)


async def test_a_job_of_an_address_is_found_by_a_restarted_web_process(tmp_path: Path) -> None:
    """The count is in Redis, not in a process."""
    policy = Policy(UNENDED, subject_of("address:127.0.0.1"), 1)
    quotas = json.dumps({"unended_jobs": 1})
    async with RedisServer(tmp_path) as server, Redis.from_url(server.url) as redis:
        async with running_web(tmp_path, server.url, quotas=quotas) as process, http_client(process.address) as client:
            assert (await upload(client)).status_code == HTTPStatus.ACCEPTED
        await wait_until(lambda: not process.process.is_running())
        async with running_web(tmp_path, server.url, quotas=quotas) as process, http_client(process.address) as client:
            assert_refused(await upload(client), "unended_jobs")
        assert await redis.zcard(KEYS.quota(policy)) == 1
