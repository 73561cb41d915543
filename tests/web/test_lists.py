"""Filters in queries: lists of jobs that have them, and verbs for many jobs."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from quickthumb.model.selection import LONGEST_CONTEXT, LONGEST_FILENAME, MOST_CONTEXTS
from quickthumb.service.bulk import MOST_NAMED
from tests.conftest import picture
from tests.web.conftest import Refusal, refusal

NO_JOB = "0" * 32
FILTERS = ("format", "error", "filename", "after", "before", "context")


async def accepted(
    client: httpx.AsyncClient, name: str = "cat.jpg", kind: str = "JPEG", **fields: Any
) -> dict[str, Any]:
    answer = await client.post("/images/", data=fields, files={"image": (name, picture(kind=kind))})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


@pytest.fixture
def tag() -> str:
    """A tag of the test's own: the service has jobs of other tests."""
    return f"list-{uuid4()}"


@pytest.fixture
async def jobs(waiting: httpx.AsyncClient, tag: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Three jobs that wait, the oldest one first."""
    yield [
        await accepted(waiting, "Ärger.png", "PNG", tag=tag, context=json.dumps({"order": {"id": 4711}})),
        await accepted(waiting, "cat.jpg", tag=tag, context=json.dumps({"order": {"id": "a:b"}, "sizes": [1, "xl"]})),
        await accepted(waiting, "Cat&dog.jpg", tag=tag),
    ]
    await waiting.delete("/jobs", params={"tag": tag})


async def listed(client: httpx.AsyncClient, tag: str, query: list[tuple[str, str]]) -> dict[str, Any]:
    answer = await client.get("/jobs", params=[("tag", tag), *query])
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ([("format", "png")], [0]),
        ([("format", "JPG")], [2, 1]),
        ([("format", "tiff")], []),
        ([("filename", "ÄRGER")], [0]),
        ([("filename", "cat")], [2, 1]),
        ([("filename", "t&d")], [2]),
        ([("context", "order.id:4711")], [0]),
        ([("context", "order.id:a:b")], [1]),
        ([("context", "sizes:xl"), ("context", "sizes:1")], [1]),
        ([("context", "sizes:xl"), ("context", "order.id:4711")], []),
        ([("filename", "cat"), ("format", "jpeg"), ("status", "waiting")], [2, 1]),
        ([("error", "broken_image")], []),
    ],
)
async def test_jobs_are_listed_that_have_everything(
    waiting: httpx.AsyncClient, jobs: list[dict[str, Any]], tag: str, query: list[tuple[str, str]], places: list[int]
) -> None:
    page = await listed(waiting, tag, query)
    assert [job["id"] for job in page["jobs"]] == [jobs[place]["id"] for place in places]
    assert (page["total"], page["next"], page["looked_back_to"]) == (None, None, None)
    seen: list[str] = []
    following: str | None = str(httpx.URL("/jobs", params=[("tag", tag), ("limit", "1"), *query]))
    while following:
        one = (await waiting.get(following)).json()
        seen += [job["id"] for job in one["jobs"]]
        following = one["next"]
        if following:
            assert one["looked_back_to"] == one["jobs"][-1]["created_at"]
    assert seen == [jobs[place]["id"] for place in places]


async def test_a_time_needs_no_search(waiting: httpx.AsyncClient, jobs: list[dict[str, Any]], tag: str) -> None:
    middle = jobs[1]["created_at"]
    page = await listed(waiting, tag, [("after", middle), ("limit", "1")])
    assert ([job["id"] for job in page["jobs"]], page["total"]) == ([jobs[2]["id"]], 2)
    assert page["looked_back_to"] == jobs[2]["created_at"]
    rest = (await waiting.get(page["next"])).json()
    assert ([job["id"] for job in rest["jobs"]], rest["total"], rest["next"]) == ([jobs[1]["id"]], 2, None)
    page = await listed(waiting, tag, [("before", middle)])
    assert ([job["id"] for job in page["jobs"]], page["total"]) == ([jobs[0]["id"]], 1)
    assert (await listed(waiting, tag, [("after", middle), ("before", middle)]))["jobs"] == []


async def test_failed_jobs_are_listed_and_retried_by_their_error(client: httpx.AsyncClient, tag: str) -> None:
    files = {"image": ("cut.jpg", picture()[:-40])}
    answer = await client.post("/images/", params={"wait": 30}, data={"tag": tag}, files=files)
    job = answer.json()
    assert job["status"] == "FAILED"
    code = job["error"]["code"]
    page = await listed(client, tag, [("error", code)])
    assert page["jobs"] == [{**job, "history": None}]
    assert (await listed(client, tag, [("error", "gave_up")]))["jobs"] == []
    query = {"tag": tag, "status": "FAILED", "error": code}
    assert (await client.post("/jobs/retry", params={**query, "dry_run": "yes"})).json()["count"] == 1
    assert (await client.get(job["links"]["self"])).json()["attempts"] == 1
    assert (await client.post("/jobs/retry", params=query)).json()["count"] == 1
    again = (await client.get(job["links"]["self"], params={"wait": 30})).json()
    assert again["attempts"] == 2
    assert (await client.delete("/jobs", params={"tag": tag})).json()["count"] == 1


async def test_many_jobs_are_changed_by_filters(
    waiting: httpx.AsyncClient, jobs: list[dict[str, Any]], tag: str
) -> None:
    query = {"tag": tag, "status": "WAITING", "filename": "CAT"}
    dry = await waiting.post("/jobs/cancel", params={**query, "dry_run": "yes", "limit": "1"})
    assert (dry.json()["count"], dry.json()["cursor"] is None) == (1, False)
    rest = await waiting.post("/jobs/cancel", params={**query, "dry_run": "true", "cursor": dry.json()["cursor"]})
    assert rest.json() == {"count": 1, "skipped": {}, "cursor": None}
    assert {job["status"] for job in (await listed(waiting, tag, []))["jobs"]} == {"WAITING"}
    assert (await waiting.post("/jobs/cancel", params={**query, "dry_run": "no"})).json()["count"] == 2
    found = (await listed(waiting, tag, []))["jobs"]
    assert [job["status"] for job in found] == ["CANCELLED", "CANCELLED", "WAITING"]
    removed = await waiting.delete("/jobs", params={"context": "order.id:4711", "tag": tag})
    assert removed.json()["count"] == 1
    assert (await listed(waiting, tag, []))["total"] == 2


async def test_many_jobs_are_changed_by_their_ids(
    waiting: httpx.AsyncClient, jobs: list[dict[str, Any]], tag: str
) -> None:
    ids = [("job", job["id"]) for job in (*jobs, jobs[0], {"id": NO_JOB})]
    told = {"count": 3, "skipped": {"unknown_job": 1}, "cursor": None}
    assert (await waiting.delete("/jobs", params=[*ids, ("dry_run", "yes")])).json() == told
    retried = await waiting.post("/jobs/retry", params=[*ids, ("dry_run", "yes")])
    assert retried.json() == {"count": 0, "skipped": {"wrong_state": 3, "unknown_job": 1}, "cursor": None}
    assert (await waiting.post("/jobs/cancel", params=ids[:2])).json()["count"] == 2
    # Cancelling a job again changes nothing, and is no error; a dry run says the same.
    for further in ({}, {"dry_run": "yes"}):
        again = await waiting.post("/jobs/cancel", params=[*ids[:3], *further.items()])
        assert again.json() == {"count": 3, "skipped": {}, "cursor": None}
    assert (await waiting.delete("/jobs", params=ids)).json() == told
    assert (await listed(waiting, tag, []))["jobs"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("format=", "format"),
        ("format=docx", "format"),
        ("format=jpeg&format=png", "format"),
        ("error=", "error"),
        ("error=Not%20A%20Code", "error"),
        ("error=" + "x" * 65, "error"),
        ("error=a%0A", "error"),
        ("filename=", "filename"),
        ("filename=" + "x" * (LONGEST_FILENAME + 1), "filename"),
        ("after=", "after"),
        ("after=yesterday", "after"),
        ("after=2026-01-31", "after"),
        ("after=2026-01-31T12:00:00", "after"),
        ("after=2026-01-31T12:00:00Z&after=2026-01-31T12:00:00Z", "after"),
        ("before=2026-13-31T12:00:00Z", "before"),
        ("before=" + "9" * 5000, "before"),
        ("context=", "context"),
        ("context=order", "context"),
        ("context=:4711", "context"),
        ("context=order..id:4711", "context"),
        ("context=a:" + "x" * LONGEST_CONTEXT, "context"),
        ("&".join(["context=a:1"] * (MOST_CONTEXTS + 1)), "context"),
        ("tenant=no%20name", "tenant"),
    ],
)
async def test_bad_filters_are_refused(waiting: httpx.AsyncClient, query: str, field: str) -> None:
    refused = Refusal(422, "invalid_parameter", field)
    assert refusal(await waiting.get(f"/jobs?{query}")) == refused
    assert refusal(await waiting.delete(f"/jobs?{query}&dry_run=yes")) == refused


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("dry_run=yes", "status"),
        ("tag=a&dry_run=maybe", "dry_run"),
        ("tag=a&dry_run=", "dry_run"),
        ("tag=a&dry_run=yes&dry_run=no", "dry_run"),
        ("tag=a&dryrun=yes", "dryrun"),
        ("job=", "job"),
        ("job=x", "job"),
        (f"job={NO_JOB}&job={NO_JOB[1:]}", "job"),
        (f"job={NO_JOB}&tag=a", "tag"),
        (f"job={NO_JOB}&limit=1", "limit"),
        (f"job={NO_JOB}&cursor=1:{NO_JOB}", "cursor"),
        *((f"job={NO_JOB}&{name}=1", name) for name in FILTERS),
        ("&".join([f"job={NO_JOB}"] * (MOST_NAMED + 1)), "job"),
        ("tenant=default", "status"),
    ],
)
async def test_nothing_is_changed_by_a_doubtful_query(waiting: httpx.AsyncClient, query: str, field: str) -> None:
    assert refusal(await waiting.delete(f"/jobs?{query}")) == Refusal(422, "invalid_parameter", field)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00"])
async def test_any_moment_will_do(
    waiting: httpx.AsyncClient, jobs: list[dict[str, Any]], tag: str, moment: str
) -> None:
    is_early = moment.startswith("0")
    page = (await waiting.get(f"/jobs?tag={tag}&after={moment}")).json()
    assert page["total"] == len(page["jobs"]) == (3 if is_early else 0)
    page = (await waiting.get(f"/jobs?tag={tag}&before={moment}&format=jpeg")).json()
    assert len(page["jobs"]) == (0 if is_early else 2)


async def test_whoever_runs_an_open_service_acts_for_all_tenants(
    waiting: httpx.AsyncClient, jobs: list[dict[str, Any]], tag: str
) -> None:
    everybody = (await waiting.get("/jobs", params={"tenant": "*", "tag": tag})).json()
    assert [job["id"] for job in everybody["jobs"]] == [job["id"] for job in jobs[::-1]]
    assert {job["tenant"] for job in everybody["jobs"]} == {"default"}
    assert (await waiting.get("/jobs", params={"tenant": "shop", "tag": tag})).json()["jobs"] == []
    one = jobs[0]["links"]["self"]
    assert refusal(await waiting.get(one, params={"tenant": "shop"})) == Refusal(404, "unknown_job")
    assert (await waiting.get(one, params={"tenant": "default"})).json()["id"] == jobs[0]["id"]
