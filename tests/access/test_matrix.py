"""Every route for every caller: who is let in, and what the others are told.

`matrix.txt` is the whole table: each endpoint with the status that it answers to each caller. `ALLOWED` has the scope
that each endpoint needs, or None if anybody may send it. An endpoint that is missing in either of them fails a test,
and so does a row without an endpoint, or a scope without a column.
"""

import base64
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from quickthumb.compat.services import SERVICES
from quickthumb.http.endpoints import Endpoint
from quickthumb.model.api_key import new_text
from quickthumb.model.caller import Scope
from quickthumb.model.job import now
from quickthumb.service.guard import LOOK_SECONDS
from quickthumb.web.routes import DASHBOARD, ENDPOINTS, PAGES
from tests.access.callers import CALLERS
from tests.access.guarded import SQUARE, Guarded, guarded_service
from tests.conftest import http_client, picture
from tests.waiting import wait_until

ALLOWED: Mapping[str, Scope | None] = {
    "createImage": Scope.IMAGES_WRITE,
    "listPresets": Scope.IMAGES_WRITE,
    "listParameters": Scope.IMAGES_WRITE,
    "createBatch": Scope.IMAGES_WRITE,
    "getBatch": Scope.JOBS_READ,
    "downloadBatch": Scope.RESULTS_READ,
    "listJobs": Scope.JOBS_READ,
    "getJob": Scope.JOBS_READ,
    "followJob": Scope.JOBS_READ,
    "followJobs": Scope.JOBS_READ,
    "followBatch": Scope.JOBS_READ,
    "deleteJobs": Scope.JOBS_WRITE,
    "retryJobs": Scope.JOBS_WRITE,
    "cancelJobs": Scope.JOBS_WRITE,
    "deleteJob": Scope.JOBS_WRITE,
    "updateJob": Scope.JOBS_WRITE,
    "createOutputs": Scope.JOBS_WRITE,
    "cancelJob": Scope.JOBS_WRITE,
    "retryJob": Scope.JOBS_WRITE,
    "downloadResult": Scope.RESULTS_READ,
    "downloadOriginal": Scope.RESULTS_READ,
    "getMetrics": Scope.ADMIN,
    "getStats": Scope.ADMIN,
    "getHistory": Scope.ADMIN,
    "listKeys": Scope.ADMIN,
    "listWorkers": Scope.ADMIN,
    "getFailures": Scope.ADMIN,
    "getSystem": Scope.ADMIN,
    "createWebhook": Scope.WEBHOOKS,
    "listWebhooks": Scope.WEBHOOKS,
    "deleteWebhook": Scope.WEBHOOKS,
    "rotateWebhook": Scope.WEBHOOKS,
    "testWebhook": Scope.WEBHOOKS,
    "listWebhookDeliveries": Scope.WEBHOOKS,
    "replayDeliveries": Scope.WEBHOOKS,
    "replayDelivery": Scope.WEBHOOKS,
    "listJobDeliveries": Scope.WEBHOOKS,
    "listBatchDeliveries": Scope.WEBHOOKS,
    "getHealth": None,
    "getReadiness": None,
    "getOpenApi": None,
    "getHome": None,
    "getDocs": None,
    "getErrors": None,
    "createSession": None,
    "getSession": None,
    "deleteSession": None,
    "getAsset": None,
    "getDashboard": None,
    "getDashboardView": None,
    "uploadToPipeline": Scope.IMAGES_WRITE,
    "getPipelineStatus": Scope.JOBS_READ,
    "downloadProcessed": Scope.RESULTS_READ,
    "createTask": Scope.IMAGES_WRITE,
    "getTask": Scope.JOBS_READ,
    "getTaskImage": Scope.RESULTS_READ,
    "sendEmail": Scope.JOBS_WRITE,
    "getEmailStatus": Scope.JOBS_READ,
}
OLDER = [endpoint for endpoints in SERVICES.values() for endpoint in endpoints]
EVERY = [*ENDPOINTS, *PAGES, *DASHBOARD, *OLDER]
GUARDED = [endpoint for endpoint in EVERY if endpoint.scope is not None]
UNKNOWN_ID = "0" * 32
# What is asked of an endpoint that does nothing without it.
BODIES: Mapping[str, Mapping[str, Any]] = {
    "createBatch": {"files": {"image": ("cat.jpg", SQUARE)}},
    "createImage": {"files": {"image": ("cat.jpg", SQUARE)}},
    "uploadToPipeline": {"files": {"file": ("cat.jpg", SQUARE)}},
    "createOutputs": {"json": {"width": 20}},
    "createTask": {"json": {"data": base64.b64encode(SQUARE).decode()}},
    "updateJob": {"json": {"priority": "low"}},
    "createWebhook": {"json": {"url": "https://example.com/hook", "events": ["job.cancelled"]}},
    "createSession": {"json": {"key": "qt_wrong"}},
    "replayDeliveries": {"json": {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}},
}
# What is about the whole service: only for the operator's tenant, which no caller of the matrix has a key of.
OPERATORS = frozenset({"getStats", "getHistory", "listWorkers", "getFailures", "getSystem"})
QUERIES = {
    "deleteJobs": "?status=CANCELLED",
    "retryJobs": "?status=FAILED",
    "cancelJobs": "?status=IN_PROGRESS",
    "getTaskImage": "?size=32",
}
# What the paths of pages have; no release has a version 0 of the files.
OF_PAGES = {"version": "0", "path": "icon.svg", "view": "jobs"}
# A job for each request, because the request changes it.
FRESH = {"deleteJob": Guarded.new_job, "retryJob": Guarded.failed_job, "cancelJob": Guarded.new_job}
NO_ENTRY = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


def test_the_table_has_every_endpoint_and_no_other() -> None:
    assert {endpoint.operation_id: endpoint.scope for endpoint in EVERY} == ALLOWED


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    async with guarded_service(tmp_path_factory.mktemp("guarded")) as guarded:
        yield guarded


@pytest.fixture
async def client(guarded: Guarded) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(guarded.web.address) as client:
        yield client


async def ask(
    client: httpx.AsyncClient, endpoint: Endpoint, authorization: str | None, job_id: str = UNKNOWN_ID
) -> httpx.Response:
    path = endpoint.path.replace(":path}", "}").format(
        job_id=job_id,
        task_id=job_id,
        batch_id=job_id,
        webhook_id=job_id,
        delivery_id=job_id,
        name="thumbnail",
        email="ada@example.com",
        **OF_PAGES,
    )
    headers = {} if authorization is None else {"Authorization": authorization}
    async with client.stream(endpoint.method, path, headers=headers) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):  # that of all jobs never ends
            await answer.aread()
    return answer


def names(endpoint: Endpoint) -> str:
    return endpoint.operation_id


def table() -> dict[str, dict[str, int]]:
    """The statuses in `matrix.txt`, by endpoint and caller."""
    lines = Path(__file__).with_name("matrix.txt").read_text().splitlines()
    (_, *columns), *rows = (line.split() for line in lines if line and not line.startswith("#"))
    assert len({name for name, *_ in rows}) == len(rows)
    return {name: dict(zip(columns, map(int, cells), strict=True)) for name, *cells in rows}


MATRIX = table()


def test_the_matrix_has_every_endpoint_and_every_caller() -> None:
    assert set(MATRIX) == {endpoint.operation_id for endpoint in EVERY}
    for row in MATRIX.values():
        assert list(row) == list(CALLERS)


@pytest.mark.parametrize("endpoint", EVERY, ids=names)
async def test_each_caller_gets_the_status_in_the_matrix(
    client: httpx.AsyncClient, guarded: Guarded, endpoint: Endpoint
) -> None:
    name = endpoint.operation_id
    methods = ("GET", "HEAD") if endpoint.method == "GET" and endpoint.safe else (endpoint.method,)
    with guarded.idle_worker() if name == "cancelJob" else contextlib.nullcontext():
        for method in methods:
            found = {}
            for caller in CALLERS:
                target = await target_of(client, guarded, endpoint)
                asked = await CALLERS[caller](guarded, client, method, target)
                url = f"{urlsplit(target).path}?{asked.query}" if asked.query else target
                headers, body = dict(asked.headers), BODIES.get(name, {})
                found[caller] = await status_of(client, method, url, headers, body)
            assert found == MATRIX[name], method


async def status_of(
    client: httpx.AsyncClient, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, Any]
) -> int:
    """The status of the answer. Leaves its body: the events of all jobs never end."""
    async with client.stream(method, url, headers=headers, **body) as answer:
        return answer.status_code


async def target_of(client: httpx.AsyncClient, guarded: Guarded, endpoint: Endpoint) -> str:
    """What to ask the endpoint for, so that it has something to do: the path, and the query that it needs."""
    if endpoint.operation_id in FRESH:
        job_id = await FRESH[endpoint.operation_id](guarded, client)
    else:
        job_id = guarded.mailed if endpoint.operation_id == "getEmailStatus" else guarded.done
    ids = {"job_id": job_id, "task_id": job_id, "webhook_id": UNKNOWN_ID, "delivery_id": UNKNOWN_ID}
    form = endpoint.path.replace(":path}", "}")
    path = form.format(**ids, **OF_PAGES, batch_id=guarded.batch, name="thumbnail", email=f"{uuid4().hex}@example.com")
    return path + QUERIES.get(endpoint.operation_id, "")


@pytest.mark.parametrize("endpoint", GUARDED, ids=names)
async def test_without_a_key_nobody_is_let_in(client: httpx.AsyncClient, endpoint: Endpoint) -> None:
    for authorization in (None, "Basic dXNlcjpwYXNzd29yZA==", "Bearer"):
        answer = await ask(client, endpoint, authorization)
        assert answer.status_code == HTTPStatus.UNAUTHORIZED
        if endpoint.method != "HEAD":
            assert answer.json()["code"] in {"key_required", "invalid_key"}
        assert answer.headers["www-authenticate"].startswith('Bearer realm="quickthumb"')


@pytest.mark.parametrize("endpoint", GUARDED, ids=names)
async def test_a_key_that_is_not_valid_lets_nobody_in(
    client: httpx.AsyncClient, guarded: Guarded, endpoint: Endpoint
) -> None:
    valid = guarded.of_scope[Scope.ADMIN]
    for text in (new_text(), guarded.expired, guarded.revoked, valid[:-1], f"{valid}x", valid.swapcase(), "x" * 5000):
        answer = await ask(client, endpoint, f"Bearer {text}")
        assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.UNAUTHORIZED, "invalid_key")
        assert answer.headers["www-authenticate"] == 'Bearer realm="quickthumb", error="invalid_token"'
        assert text[:40] not in answer.text


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("endpoint", GUARDED, ids=names)
async def test_a_key_opens_what_its_scope_names(
    client: httpx.AsyncClient, guarded: Guarded, endpoint: Endpoint, scope: Scope
) -> None:
    answer = await ask(client, endpoint, f"bearer {guarded.of_scope[scope]}")
    if scope in (endpoint.scope, Scope.ADMIN) and endpoint.operation_id in OPERATORS:
        assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.FORBIDDEN, "not_for_tenants")
    elif scope in (endpoint.scope, Scope.ADMIN):
        assert answer.status_code not in NO_ENTRY
        assert answer.status_code < 500
    else:
        assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.FORBIDDEN, "insufficient_scope")
        assert f'scope="{endpoint.scope}"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("endpoint", [endpoint for endpoint in EVERY if endpoint.scope is None], ids=names)
async def test_what_needs_no_key_is_for_everybody(client: httpx.AsyncClient, endpoint: Endpoint) -> None:
    for authorization in (None, f"Bearer {new_text()}"):
        assert (await ask(client, endpoint, authorization)).status_code not in NO_ENTRY


async def test_two_keys_in_one_request_are_refused(client: httpx.AsyncClient, guarded: Guarded) -> None:
    key = guarded.of_scope[Scope.ADMIN]
    both = [("Authorization", f"Bearer {key}"), ("Authorization", f"Bearer {key}")]
    answer = await client.get("/jobs", headers=both)
    assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.BAD_REQUEST, "malformed_request")


async def test_another_tenants_job_does_not_exist(client: httpx.AsyncClient, guarded: Guarded) -> None:
    mine = {"Authorization": f"Bearer {guarded.of_scope[Scope.ADMIN]}"}
    accepted = await client.post("/images/", files={"image": ("cat.jpg", picture(), "image/jpeg")}, headers=mine)
    job_id = accepted.json()["id"]
    assert (await client.get(f"/jobs/{job_id}", headers=mine)).status_code == HTTPStatus.OK
    theirs = f"Bearer {guarded.other}"
    for endpoint in ENDPOINTS:
        if "{batch_id}" in endpoint.path:
            answer = await ask(client, endpoint, theirs, guarded.batch)
            assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.NOT_FOUND, "unknown_batch")
        if "{job_id}" in endpoint.path:
            answer = await ask(client, endpoint, theirs, job_id)
            assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.NOT_FOUND, "unknown_job")
    everything = {"before": "2100-01-01T00:00:00Z"}
    removed = await client.request("DELETE", "/jobs", params=everything, headers={"Authorization": theirs})
    assert removed.status_code == HTTPStatus.OK
    assert (await client.get("/jobs", headers={"Authorization": theirs})).json()["jobs"] == []
    for kept in (job_id, guarded.done):
        assert (await client.get(f"/jobs/{kept}", headers=mine)).status_code == HTTPStatus.OK


async def test_the_body_of_an_upload_without_a_key_is_not_kept(client: httpx.AsyncClient, guarded: Guarded) -> None:
    before = guarded.web.kept()
    answer = await client.post("/images/", files={"image": ("cat.jpg", picture(), "image/jpeg")})
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert guarded.web.kept() == before


async def test_keys_are_known_and_forgotten_within_seconds(client: httpx.AsyncClient, guarded: Guarded) -> None:
    text, key = await guarded.store.create("shop", [Scope.JOBS_READ])

    async def is_answered(status: int) -> bool:
        return (await client.get("/jobs", headers={"Authorization": f"Bearer {text}"})).status_code == status

    await wait_until(lambda: is_answered(HTTPStatus.OK), 10 * LOOK_SECONDS)
    other, _ = await guarded.store.rotate(key, now() + timedelta(hours=1))
    assert other != text
    assert await is_answered(HTTPStatus.OK)
    await guarded.store.end(key, now())
    await wait_until(lambda: is_answered(HTTPStatus.UNAUTHORIZED), 10 * LOOK_SECONDS)
