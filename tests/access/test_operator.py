"""The operator acts for tenants: with `?tenant=`, an `admin` key of `default` does, and nobody else."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
import pytest
import pytest_asyncio

from quickthumb.model.caller import Scope
from quickthumb.service.keys import KeyStore
from quickthumb.storage import FileStorage
from quickthumb.web.routes import ENDPOINTS
from tests.access.guarded import SECRET, bearer, policy, signed
from tests.conftest import http_client, picture
from tests.redis_server import RedisServer
from tests.web_process import WebProcess, running_web

KEYS: Mapping[str, tuple[str, tuple[Scope, ...]]] = {
    "operator": ("default", (Scope.ADMIN,)),
    "helper": ("default", (Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.WEBHOOKS, Scope.IMAGES_WRITE)),
    "shop": ("shop", (Scope.ADMIN,)),
    "zoo": ("zoo", (Scope.ADMIN,)),
}
NO_ID = "0" * 32
SHOP = {"tenant": "shop"}


@dataclass(frozen=True)
class Scene:
    """A web process with keys, its client, and the headers with each key."""

    web: WebProcess
    client: httpx.AsyncClient
    headers: Mapping[str, dict[str, str]]

    async def ask(self, who: str, method: str, path: str, **request: Any) -> httpx.Response:
        return await self.client.request(method, path, headers=self.headers[who], **request)

    async def job(self, who: str, **fields: str) -> dict[str, Any]:
        """A job that waits."""
        answer = await self.ask(who, "POST", "/images/", files={"image": ("cat.jpg", picture())}, data=fields)
        assert answer.status_code == HTTPStatus.ACCEPTED, answer.text
        job: dict[str, Any] = answer.json()
        return job


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def web(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[WebProcess, dict[str, dict[str, str]]]]:
    folder = tmp_path_factory.mktemp("operator")
    (folder / "data").mkdir()
    storage = FileStorage(folder / "data")
    await storage.identity()
    made = {who: (await KeyStore(storage).create(*key))[0] for who, key in KEYS.items()}
    settings: dict[str, Any] = {
        "url_secrets": SECRET,
        "tenants": json.dumps({"shop": {"presets": {"badge": [{"size": "32x32"}]}}}),
    }
    async with RedisServer(folder) as redis, running_web(folder, redis.url, **settings) as web:
        yield web, {who: bearer(key) for who, key in made.items()}


@pytest.fixture
async def scene(web: tuple[WebProcess, dict[str, dict[str, str]]]) -> AsyncIterator[Scene]:
    async with http_client(web[0].address) as client:
        yield Scene(web[0], client, web[1])


def outcome(answer: httpx.Response) -> tuple[int, str | None]:
    is_problem = answer.headers.get("content-type") == "application/problem+json"
    return answer.status_code, answer.json()["code"] if is_problem else None


UNKNOWN = (404, "unknown_job")
REFUSED = (422, "invalid_parameter")


async def test_the_operator_does_with_a_tenant_s_job_what_the_tenant_could(scene: Scene) -> None:
    job = await scene.job("shop")
    path = f"/jobs/{job['id']}"
    assert outcome(await scene.ask("operator", "GET", path)) == UNKNOWN
    shown = (await scene.ask("operator", "GET", path, params=SHOP)).json()
    assert shown["tenant"] == "shop"
    assert {name: shown[name] for name in shown if name != "links"} == {
        name: job[name] for name in job if name not in ("links", "message")
    }
    assert shown["links"] == {name: f"{link}?tenant=shop" for name, link in job["links"].items()}
    assert (await scene.ask("operator", "GET", shown["links"]["original"])).content == picture()
    changed = await scene.ask("operator", "PATCH", path, params=SHOP, json={"priority": "low"})
    assert changed.json()["priority"] == "low"
    made = (await scene.ask("operator", "POST", f"{path}/outputs", params=SHOP, json={"preset": "badge"})).json()
    assert (made["tenant"], made["derived_from"]) == ("shop", job["id"])
    assert (await scene.ask("shop", "GET", f"/jobs/{made['id']}")).status_code == HTTPStatus.OK
    assert outcome(await scene.ask("operator", "GET", f"/jobs/{made['id']}")) == UNKNOWN
    events = scene.client.stream("GET", f"{path}/events", params=SHOP, headers=scene.headers["operator"])
    async with events as stream:
        lines = stream.aiter_lines()
        assert "event: snapshot" in [await anext(lines) for _ in range(3)]
    deliveries = await scene.ask("operator", "GET", f"{path}/deliveries", params=SHOP)
    assert deliveries.json() == {"deliveries": [], "next": None}
    cancelled = await scene.ask("operator", "POST", f"{path}/cancel", params=SHOP)
    assert cancelled.json()["status"] == "CANCELLED"
    assert outcome(await scene.ask("operator", "POST", f"{path}/retry", params=SHOP)) == (409, "wrong_state")
    assert (await scene.ask("operator", "DELETE", path, params=SHOP)).status_code == HTTPStatus.NO_CONTENT
    assert outcome(await scene.ask("shop", "GET", path)) == UNKNOWN


async def test_the_operator_has_each_tenant_s_list_and_that_of_all(scene: Scene) -> None:
    jobs = [await scene.job(who, tag="listed") for who in ("shop", "zoo", "operator")]
    tenants = {job["id"]: job["tenant"] for job in jobs}
    assert list(tenants.values()) == ["shop", "zoo", "default"]
    for tenant, expected in (("shop", jobs[:1]), ("zoo", jobs[1:2]), ("default", jobs[2:]), ("*", jobs[::-1])):
        page = (await scene.ask("operator", "GET", "/jobs", params={"tenant": tenant, "tag": "listed"})).json()
        assert [job["id"] for job in page["jobs"]] == [job["id"] for job in expected]
        assert page["total"] == (None if tenant == "*" else 1)
    ids: list[str] = []
    following: str | None = "/jobs?tenant=*&limit=1"
    while following and len(ids) < len(jobs):
        page = (await scene.ask("operator", "GET", following)).json()
        assert page["total"] >= len(jobs)
        for job in page["jobs"]:
            ids.append(job["id"])
            assert job["links"]["self"] == f"/jobs/{job['id']}?tenant={tenants[job['id']]}"
            assert (await scene.ask("operator", "GET", job["links"]["self"])).json()["id"] == job["id"]
        following = page["next"]
    assert ids == list(tenants)[::-1]
    found = await scene.ask("operator", "GET", "/jobs", params={"tenant": "*", "filename": "CAT", "limit": 3})
    assert [job["id"] for job in found.json()["jobs"]] == ids
    signed_urls = await scene.ask("operator", "GET", "/jobs", params={"tenant": "*", "sign": 60, "limit": 3})
    for job in signed_urls.json()["jobs"]:
        assert "tenant" not in job["links"]["original"]
        assert (await scene.client.get(job["links"]["original"])).status_code == HTTPStatus.OK


async def test_bulk_verbs_change_only_the_named_tenant_s_jobs(scene: Scene) -> None:
    jobs = [await scene.job(who, tag="bulk") for who in ("shop", "zoo", "operator")]
    query = {"tag": "bulk", "status": "WAITING", "tenant": "shop"}
    dry = await scene.ask("operator", "POST", "/jobs/cancel", params={**query, "dry_run": "yes"})
    assert dry.json() == {"count": 1, "skipped": {}, "cursor": None}
    assert (await scene.ask("operator", "POST", "/jobs/cancel", params=query)).json()["count"] == 1
    # However it is written, it is not overlooked.
    removed = await scene.ask("operator", "DELETE", "/jobs?tag=bulk&%74enant=shop")
    assert removed.json() == {"count": 1, "skipped": {}, "cursor": None}
    named = [("job", job["id"]) for job in jobs]
    cancelled = await scene.ask("operator", "POST", "/jobs/cancel", params=[*named, ("tenant", "zoo")])
    assert cancelled.json() == {"count": 1, "skipped": {"unknown_job": 2}, "cursor": None}
    left = [(await scene.ask(who, "GET", "/jobs?tag=bulk")).json()["jobs"] for who in ("shop", "zoo", "operator")]
    assert [[job["status"] for job in own] for own in left] == [[], ["CANCELLED"], ["WAITING"]]


async def test_the_operator_hands_in_a_tenant_s_batch(scene: Scene) -> None:
    files = {"image": ("cat.jpg", picture())}
    data = {"preset": "badge"}
    assert outcome(await scene.ask("operator", "POST", "/batches", files=files, data=data)) == REFUSED
    batch = (await scene.ask("operator", "POST", "/batches", params=SHOP, files=files, data=data)).json()
    (item,) = batch["jobs"]
    assert item["job"]["tenant"] == "shop"
    assert batch["links"]["self"] == f"/batches/{batch['id']}?tenant=shop"
    assert (await scene.ask("operator", "GET", batch["links"]["self"])).json() == batch
    assert outcome(await scene.ask("operator", "GET", f"/batches/{batch['id']}")) == (404, "unknown_batch")
    assert outcome(await scene.ask("operator", "GET", batch["links"]["results"])) == (409, "not_ready")
    assert (await scene.ask("shop", "GET", f"/batches/{batch['id']}")).status_code == HTTPStatus.OK


async def test_the_operator_has_a_tenant_s_webhooks(scene: Scene) -> None:
    new = {"url": "https://example.com/hook", "events": ["job.done"]}
    made = (await scene.ask("operator", "POST", "/webhooks", params=SHOP, json=new)).json()
    path = f"/webhooks/{made['id']}"
    ids = [
        [webhook["id"] for webhook in (await scene.ask(who, "GET", "/webhooks", params=params)).json()["webhooks"]]
        for who, params in (("operator", {}), ("operator", SHOP), ("shop", {}), ("zoo", {}))
    ]
    assert ids == [[], [made["id"]], [made["id"]], []]
    assert outcome(await scene.ask("operator", "POST", f"{path}/rotate")) == (404, "unknown_webhook")
    assert (await scene.ask("operator", "POST", f"{path}/rotate", params=SHOP)).status_code == HTTPStatus.OK
    assert (await scene.ask("operator", "DELETE", path, params=SHOP)).status_code == HTTPStatus.NO_CONTENT
    assert (await scene.ask("shop", "GET", "/webhooks")).json()["webhooks"] == []


async def test_the_operator_follows_a_tenant_s_jobs(scene: Scene) -> None:
    async with scene.client.stream("GET", "/events", params=SHOP, headers=scene.headers["operator"]) as stream:
        lines = stream.aiter_lines()
        assert (await anext(lines)).startswith("retry:")
        await scene.job("zoo")
        job = await scene.job("shop")
        told = [line async for line in _until(lines, "event: job.waiting")]
        data = json.loads((await _data_of(lines)).removeprefix("data: "))
        assert not any(line.startswith("event:") for line in told)
        assert data["id"] == job["id"]


async def _until(lines: AsyncIterator[str], last: str) -> AsyncIterator[str]:
    async for line in lines:
        if line == last:
            return
        yield line


async def _data_of(lines: AsyncIterator[str]) -> str:
    return await anext(line async for line in lines if line.startswith("data:"))


GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint.of_tenant]


@pytest.mark.parametrize("endpoint", GUARDED, ids=lambda endpoint: endpoint.operation_id)
async def test_nobody_else_names_another_tenant(scene: Scene, endpoint: Any) -> None:
    path = endpoint.path.format(job_id=NO_ID, batch_id=NO_ID, webhook_id=NO_ID, delivery_id=NO_ID, name="thumbnail")
    expected = {"shop": (403, "not_for_tenants"), "helper": (403, "insufficient_scope")}
    for who, refused in expected.items():
        for name in ("zoo", "nobody"):
            assert outcome(await scene.ask(who, endpoint.method, path, params={"tenant": name})) == refused
    # A tenant does not learn from this which tenants there are, and no endpoint but one is for all.
    everyone = await scene.ask("shop", endpoint.method, path, params={"tenant": "*"})
    assert outcome(everyone) == (expected["shop"] if endpoint.operation_id == "listJobs" else REFUSED)
    if endpoint.operation_id != "listJobs":
        refused_too = await scene.ask("operator", endpoint.method, path, params={"tenant": "*"})
        assert (*outcome(refused_too), refused_too.json()["field"]) == (*REFUSED, "tenant")


def test_all_that_tenants_have_of_their_own_is_meant() -> None:
    others = {endpoint.operation_id for endpoint in ENDPOINTS if endpoint.scope is not None} - {
        endpoint.operation_id for endpoint in GUARDED
    }
    of_deployment = {"getMetrics", "getStats", "getHistory", "listWorkers", "getFailures", "getSystem", "listKeys"}
    assert others == {"createImage", "listPresets", "listParameters", *of_deployment}
    assert [endpoint.operation_id for endpoint in GUARDED if endpoint.for_all_tenants] == ["listJobs"]


@pytest.mark.parametrize("who", ["operator", "helper", "shop"])
async def test_everybody_may_name_their_own_tenant(scene: Scene, who: str) -> None:
    job = await scene.job(who)
    answer = await scene.ask(who, "GET", f"/jobs/{job['id']}", params={"tenant": KEYS[who][0]})
    assert answer.json() == {name: value for name, value in job.items() if name != "message"}


@pytest.mark.parametrize(
    "query",
    [
        "tenant",
        "tenant=",
        "tenant=Shop",
        "tenant=-a",
        "tenant=a_b",
        "tenant=a:b",
        "tenant=**",
        "tenant=" + "a" * 64,
        "tenant=%23abc",
        "tenant=shop%0A",
        "tenant=%F0%9F%90%88",
        "tenant=%FF",
        "tenant=shop&tenant=zoo",
        "tenant=shop&%74enant=shop",
    ],
)
async def test_what_no_tenant_can_be_called_is_refused(scene: Scene, query: str) -> None:
    for who in ("operator", "shop"):
        answer = await scene.ask(who, "GET", f"/jobs?{query}")
        assert (*outcome(answer), answer.json()["field"]) == (*REFUSED, "tenant")


async def test_a_tenant_that_has_nothing_is_empty(scene: Scene) -> None:
    page = (await scene.ask("operator", "GET", "/jobs", params={"tenant": "nobody"})).json()
    assert (page["jobs"], page["total"]) == ([], 0)


async def test_it_is_no_way_round_signatures_policies_and_keys(scene: Scene) -> None:
    job = await scene.job("shop")
    path, expires = f"/jobs/{job['id']}", f"expires={int(time.time()) + 60}"
    good = f"{path}?{signed('GET', path, expires)}"
    assert (await scene.client.get(good)).status_code == HTTPStatus.OK
    assert outcome(await scene.client.get(f"{good}&tenant=shop")) == (403, "invalid_signature")
    naming = f"{path}?{signed('GET', path, f'{expires}&tenant=shop')}"
    assert outcome(await scene.client.get(naming)) == (403, "not_for_tenants")
    assert outcome(await scene.client.get(f"{path}?tenant=shop")) == (401, "key_required")
    files = {"image": ("cat.jpg", picture())}
    for headers in ({"Upload-Policy": policy()}, scene.headers["operator"]):
        answer = await scene.client.post("/images/?tenant=zoo", files=files, headers=headers)
        assert answer.status_code in (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.FORBIDDEN)
    # What concerns the whole service does not depend on it.
    metrics = await scene.ask("shop", "GET", "/metrics", params={"tenant": "default"})
    assert "quickthumb_jobs" not in metrics.text
    assert outcome(await scene.ask("shop", "GET", "/stats", params={"tenant": "default"})) == (403, "not_for_tenants")
