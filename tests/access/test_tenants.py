"""What the keys of a tenant see of the deployment, and how long its jobs are kept: real processes, keys and files."""

import json
import os
import time
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from quickthumb.model.caller import Scope
from quickthumb.service.keys import KeyStore
from quickthumb.storage import FileStorage
from quickthumb.storage.layout import keep_key, outcome_key
from tests.conftest import http_client, picture, running_service
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web_process import running_web

TENANTS = ("default", "shop", "zoo", "unnamed")
HOUR, DAY = 3_600, 86_400


async def keys_for(folder: Path) -> dict[str, dict[str, str]]:
    """The headers with a key of scope `admin`, for each of TENANTS."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    storage = FileStorage(folder / "data")
    await storage.identity()
    made = {tenant: (await KeyStore(storage).create(tenant, [Scope.ADMIN]))[0] for tenant in TENANTS}
    return {tenant: {"Authorization": f"Bearer {key}"} for tenant, key in made.items()}


async def accepted(client: httpx.AsyncClient, headers: Mapping[str, str], **fields: str) -> dict[str, Any]:
    answer = await client.post("/images/", files={"image": ("cat.jpg", picture())}, data=fields, headers=headers)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def samples(client: httpx.AsyncClient, headers: Mapping[str, str]) -> dict[tuple[str, ...], float]:
    """Every number of /metrics, by its name and the values of its labels, `tenant` before `status`."""
    answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    families = list(text_string_to_metric_families(answer.text))
    assert all(family.documentation and family.type != "unknown" for family in families)
    every = [sample for family in families for sample in family.samples]
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items(), reverse=True))): sample.value
        for sample in every
    }


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, RedisServer, dict[str, dict[str, str]]]]:
    keys = await keys_for(tmp_path)
    named = json.dumps({"shop": {"retention_seconds": "forever"}, "zoo": {}})
    async with (
        RedisServer(tmp_path) as redis,
        running_web(tmp_path, redis.url, tenants=named) as web,
        http_client(web.address) as client,
    ):
        yield client, redis, keys


async def test_each_tenant_sees_its_own_numbers_and_the_default_one_those_of_all(
    scene: tuple[httpx.AsyncClient, RedisServer, dict[str, dict[str, str]]],
) -> None:
    client, redis, keys = scene
    for tenant, count in (("default", 1), ("shop", 2), ("unnamed", 3)):
        for _ in range(count):
            await accepted(client, keys[tenant])
    size = len(picture())
    for tenant, count in (("shop", 2), ("unnamed", 3), ("zoo", 0)):
        found = await samples(client, keys[tenant])
        assert found["quickthumb_tenant_jobs", tenant, "WAITING"] == count
        assert found["quickthumb_tenant_images_total", tenant] == count
        assert found["quickthumb_tenant_upload_bytes_total", tenant] == count * size
        assert found["quickthumb_redis_up",] == 1
        # Nothing of the deployment, and nothing of other tenants.
        assert all(name[0] == "quickthumb_redis_up" or name[1] == tenant for name in found)
    everything = await samples(client, keys["default"])
    assert everything["quickthumb_jobs", "WAITING"] == 6
    assert everything["quickthumb_tenant_jobs", "shop", "WAITING"] == 2
    assert everything["quickthumb_upload_bytes_total",] == 6 * size
    # Only those that the settings name: anybody who may make keys could make any number of others.
    assert {name[1] for name in everything if name[0].startswith("quickthumb_tenant_")} == {"shop", "zoo"}
    await redis.stop()
    assert await samples(client, keys["shop"]) == {("quickthumb_redis_up",): 0}


async def test_pages_and_bulk_verbs_are_the_tenant_s_own(
    scene: tuple[httpx.AsyncClient, RedisServer, dict[str, dict[str, str]]],
) -> None:
    client, _, keys = scene
    mine = [(await accepted(client, keys["zoo"]))["id"] for _ in range(3)]
    for tenant in ("default", "shop"):
        await accepted(client, keys[tenant])
    page = (await client.get("/jobs", params={"limit": 2}, headers=keys["zoo"])).json()
    rest = (await client.get("/jobs", params={"cursor": page["cursor"]}, headers=keys["zoo"])).json()
    assert [job["id"] for job in page["jobs"] + rest["jobs"]] == mine[::-1]
    assert rest["cursor"] is None
    assert page["total"] == rest["total"] == 3
    # Those of other tenants are in the same list, but do not count.
    assert (await client.get("/jobs", headers=keys["default"])).json()["total"] == 1
    cancelled = await client.post("/jobs/cancel", params={"status": "WAITING"}, headers=keys["zoo"])
    assert cancelled.json() == {"count": 3, "skipped": {}, "cursor": None}
    for tenant, statuses in (("zoo", ["CANCELLED"] * 3), ("default", ["WAITING"]), ("shop", ["WAITING"])):
        jobs = (await client.get("/jobs", headers=keys[tenant])).json()["jobs"]
        assert [job["status"] for job in jobs] == statuses


@pytest.mark.parametrize("keep", ["59s", "3651d", "for ever", "-1d", "1y", "1e3s", "forever "])
async def test_a_time_that_is_none_is_refused(
    scene: tuple[httpx.AsyncClient, RedisServer, dict[str, dict[str, str]]], keep: str
) -> None:
    client, _, keys = scene
    data = {"keep": keep}
    refused = await client.post("/images/", files={"image": ("a.jpg", picture())}, data=data, headers=keys["zoo"])
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (422, "invalid_parameter", "keep")


async def test_the_same_key_with_another_time_is_another_request(
    scene: tuple[httpx.AsyncClient, RedisServer, dict[str, dict[str, str]]],
) -> None:
    client, _, keys = scene
    first = await accepted(client, {**keys["zoo"], "Idempotency-Key": "1"}, keep="1h")
    assert (await accepted(client, {**keys["zoo"], "Idempotency-Key": "1"}, keep="1h"))["id"] == first["id"]
    assert (await accepted(client, {**keys["shop"], "Idempotency-Key": "1"}, keep="2h"))["id"] != first["id"]
    reused = await client.post(
        "/images/",
        files={"image": ("cat.jpg", picture())},
        data={"keep": "2h"},
        headers={**keys["zoo"], "Idempotency-Key": "1"},
    )
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_job_s_own_time_goes_before_the_tenant_s_and_that_before_the_setting(tmp_path: Path) -> None:
    keys = await keys_for(tmp_path)
    named = json.dumps({"shop": {"retention_seconds": "forever"}, "zoo": {"retention_seconds": "1h"}})
    cases = {
        ("default", ""): 2 * DAY,
        ("shop", ""): None,
        ("zoo", ""): HOUR,
        ("default", "forever"): None,
        ("shop", "1d"): DAY,
        ("zoo", "30d"): 30 * DAY,
    }
    async with RedisServer(tmp_path / "redis") as redis:
        settings: dict[str, Any] = {
            "redis_url": redis.url,
            "retention_seconds": "2d",
            "tenants": named,
            "sweep_seconds": 0.2,
            "housekeeping_seconds": 0.2,
        }
        with running_service(tmp_path, **settings) as address:
            async with http_client(address) as client:
                jobs = {}
                for tenant, keep in cases:
                    job = await accepted(client, keys[tenant], **({"keep": keep} if keep else {}))
                    url = f"/jobs/{job['id']}"
                    assert job["expires_at"] is None
                    done = (await client.get(url, params={"wait": 30}, headers=keys[tenant])).json()
                    assert done["status"] == "DONE"
                    jobs[tenant, keep] = url
                    assert kept_seconds(done) == cases[tenant, keep]
                    assert (tmp_path / "data" / keep_key(job["id"])).exists() == bool(keep)
                # All of them ended three days ago.
                for url in jobs.values():
                    outcome = tmp_path / "data" / outcome_key(url.removeprefix("/jobs/"))
                    os.utime(outcome, (0, time.time() - 3 * DAY))

                async def left() -> list[tuple[str, str]]:
                    return [
                        case
                        for case, url in jobs.items()
                        if (await client.get(f"{url}/results/thumbnail", headers=keys[case[0]])).status_code == 200
                    ]

                expected = [("shop", ""), ("default", "forever"), ("zoo", "30d")]

                async def is_swept() -> bool:
                    return await left() == expected

                await wait_until(is_swept, seconds=20)
        # A wiped Redis, and other processes.
        async with Redis.from_url(redis.url) as wiping:
            await wiping.flushall()
        with running_service(tmp_path, **settings) as address:
            async with http_client(address) as client:

                async def is_rebuilt() -> bool:
                    urls = [(jobs[case], keys[case[0]]) for case in expected]
                    return all([(await client.get(url, headers=key)).status_code == 200 for url, key in urls])

                await wait_until(is_rebuilt, seconds=20)
                for case in expected:
                    again = (await client.get(jobs[case], headers=keys[case[0]])).json()
                    assert kept_seconds(again) == cases[case]
                assert (await client.get(jobs["zoo", ""], headers=keys["zoo"])).status_code == 404


def kept_seconds(job: Mapping[str, Any]) -> float | None:
    """How long after its end a job expires."""
    if job["expires_at"] is None:
        return None
    ended, expires = (datetime.fromisoformat(job[name]) for name in ("finished_at", "expires_at"))
    return (expires - ended).total_seconds()
