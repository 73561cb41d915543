import base64
import json
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.conftest import picture
from tests.web.conftest import Refusal, done, refusal, upload
from tests.web_process import WebProcess

UNKNOWN = Refusal(404, "unknown_job")
NO_JOB = "0" * 32


async def test_a_finished_job_tells_of_its_results(client: httpx.AsyncClient) -> None:
    job = await done(client)
    address = f"/jobs/{job['id']}"
    assert job["attempts"] == 1
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]
    assert job["error"] is None
    (worker,) = (await client.get("/workers")).json()["workers"]
    (attempt,) = job["history"]
    assert 0 < attempt.pop("seconds") < 30
    assert attempt == {
        "attempt": 1,
        "worker": worker["id"],
        "started_at": job["started_at"],
        "status": "DONE",
        "error": None,
    }
    (listed,) = (await client.get("/jobs", params={"limit": 1})).json()["jobs"]
    assert listed["history"] is None
    assert job["links"]["self"] == address
    result = job["results"]["thumbnail"]
    assert (result["url"], result["format"]) == (f"{address}/results/thumbnail", "jpeg")
    assert (result["width"], result["height"]) == (128, 96)
    assert result["bytes"] == len((await client.get(result["url"])).content)


async def test_a_failed_job_tells_why(client: httpx.AsyncClient) -> None:
    broken = b"BM" + (54).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    broken += (40).to_bytes(4, "little") + (9).to_bytes(4, "little") * 2 + b"\1\0\x18\0" + bytes(24)
    accepted = await upload(client, data=broken)
    job = (await client.get(accepted["links"]["self"], params={"wait": 30})).json()
    assert job["status"] == "FAILED"
    assert job["results"] == {}
    assert job["error"]["code"]
    assert job["error"]["detail"].endswith(".")
    assert job["error"]["retryable"] is False
    answer = await client.get(f"{job['links']['self']}/results/thumbnail")
    assert refusal(answer) == Refusal(404, "job_failed")
    assert answer.json()["error"] == job["error"]
    assert job["error"]["detail"] in answer.json()["detail"]


@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
async def test_a_job_keeps_what_the_client_says_of_it(client: httpx.AsyncClient, form: bool) -> None:
    tags, context = ["catalog/2026", "a:b@c.d"], {"order": 17, "name": "</script>\u2028🐱", "deep": [[{}]]}
    if form:
        parts = {"tag": tags, "context": json.dumps(context)}
        answer = await client.post("/images/", data=parts, files={"image": ("cat.jpg", picture())})
    else:
        body = {"data": base64.b64encode(picture()).decode(), "tag": tags, "context": context}
        answer = await client.post("/images/", json=body)
    job = (await client.get(answer.headers["location"], params={"wait": 30})).json()
    assert (job["status"], job["tags"], job["context"]) == ("DONE", tags, context)
    listed = (await client.get("/jobs", params={"limit": 1})).json()["jobs"][0]
    assert (listed["tags"], listed["context"]) == (tags, context)


async def test_numbers_for_operators(client: httpx.AsyncClient) -> None:
    await done(client)
    numbers = (await client.get("/stats")).json()
    assert numbers["jobs"]["DONE"] >= 1
    assert numbers["workers"] == 1
    for window in (numbers["hour"], numbers["day"], numbers["week"]):
        assert window["done"] + window["failed"] == pytest.approx(
            window["jobs_per_second"] * window["seconds"], rel=0.1, abs=0.1
        )


async def test_a_job_that_has_not_ended_says_when_to_ask_again(waiting: httpx.AsyncClient) -> None:
    job = await upload(waiting)
    answer = await waiting.get(job["links"]["self"])
    assert answer.json() == {name: value for name, value in job.items() if name != "message"}
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "held", [{"params": {"wait": "30"}}, {"headers": {"Prefer": 'respond-async, wait="30"'}}], ids=["wait", "Prefer"]
)
async def test_whoever_waits_is_answered_as_soon_as_the_job_ends(
    client: httpx.AsyncClient, held: dict[str, Any]
) -> None:
    job = await upload(client)
    started = time.monotonic()
    answer = await client.get(job["links"]["self"], **held)
    assert time.monotonic() - started < 5
    assert answer.json()["status"] == "DONE"
    assert "retry-after" not in answer.headers
    assert answer.headers.get("preference-applied") == ("wait=30" if "headers" in held else None)


async def test_whoever_waits_is_answered_when_the_time_is_over(waiting: httpx.AsyncClient) -> None:
    job = await upload(waiting)
    started = time.monotonic()
    answer = await waiting.get(job["links"]["self"], headers={"Prefer": "wait=1"})
    assert 0.9 < time.monotonic() - started < 1.9
    assert answer.json()["status"] == "WAITING"
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["preference-applied"] == "wait=1"


async def test_nobody_waits_longer_than_the_setting_allows(waiting: httpx.AsyncClient) -> None:
    job = await upload(waiting)
    answer = await waiting.get(job["links"]["self"], headers={"Prefer": "wait=99999999999"})
    assert answer.headers["preference-applied"] == "wait=2"


async def test_a_job_that_is_removed_while_someone_waits_is_unknown(waiting: httpx.AsyncClient) -> None:
    job = await upload(waiting)
    await waiting.delete(job["links"]["self"])
    assert refusal(await waiting.get(job["links"]["self"], params={"wait": 2})) == UNKNOWN


@pytest.mark.parametrize("path", ["/jobs", "/jobs/"])
async def test_jobs_are_listed_newest_first_in_pages(waiting: httpx.AsyncClient, path: str) -> None:
    newest = [(await upload(waiting))["id"] for _ in range(5)][::-1]
    listed: list[str] = []
    page = (await waiting.get(path, params={"limit": 2, "status": "waiting"})).json()
    while len(listed) < 4:
        assert len(page["jobs"]) == 2
        listed += [job["id"] for job in page["jobs"]]
        assert page["next"].startswith("/jobs")
        query = {"limit": 2, "status": "waiting", "cursor": page["cursor"]}
        following = (await waiting.get(page["next"])).json()
        assert (await waiting.get(path, params=query)).json()["jobs"] == following["jobs"]
        page = following
    assert listed == newest[:4]


async def test_the_last_page_has_no_next(waiting: httpx.AsyncClient) -> None:
    await upload(waiting)
    page = (await waiting.get("/jobs", params={"status": "DONE"})).json()
    assert page == {"jobs": [], "total": 0, "next": None, "cursor": None, "looked_back_to": None}


async def test_the_list_shows_jobs_as_they_are_shown_alone(client: httpx.AsyncClient) -> None:
    job = await done(client)
    page = (await client.get("/jobs", params={"status": "DONE", "limit": 100})).json()
    assert {**job, "history": None} in page["jobs"]


async def test_the_address_of_the_next_page_is_the_service_s_own(waiting: httpx.AsyncClient) -> None:
    await upload(waiting)
    await upload(waiting)
    page = await waiting.get("/jobs", params={"limit": 1}, headers={"Host": "other.localhost"})
    assert page.json()["next"].startswith("/jobs?")


async def accepted(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/images/", data=fields, files={"image": ("cat.jpg", picture())})
    job: dict[str, Any] = answer.json()
    return job


async def test_jobs_are_found_by_their_tag(waiting: httpx.AsyncClient) -> None:
    tag, other = f"order:{uuid4()}/a@b", f"{uuid4()}"
    ids = [(await accepted(waiting, tag=tags))["id"] for tags in (tag, [tag, other], other)]
    page = (await waiting.get("/jobs", params={"tag": tag, "limit": 1, "status": "WAITING"})).json()
    assert (page["total"], [job["id"] for job in page["jobs"]]) == (2, [ids[1]])
    following = (await waiting.get(page["next"])).json()
    assert (following["total"], [job["id"] for job in following["jobs"]]) == (2, [ids[0]])
    assert following["next"] is None
    assert (await waiting.get("/jobs", params={"tag": "nobody-s"})).json()["jobs"] == []
    assert (await waiting.get("/jobs", params={"limit": 1})).json()["total"] >= 3
    cancelled = await waiting.post("/jobs/cancel", params={"status": "WAITING", "tag": other})
    assert cancelled.json()["count"] == 2
    removed = await waiting.delete("/jobs", params={"tag": tag})
    assert removed.json() == {"count": 2, "skipped": {}, "cursor": None}
    left = (await waiting.get("/jobs", params={"tag": other})).json()
    assert ([job["id"] for job in left["jobs"]], left["total"]) == ([ids[2]], 1)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/jobs?tag=", "tag"),
        ("/jobs?tag=two%20words", "tag"),
        ("/jobs?tag=a%0A", "tag"),
        ("/jobs?tag=%C3%A9", "tag"),
        ("/jobs?tag=" + "x" * 65, "tag"),
        ("/jobs?tag=a&tag=b", "tag"),
        ("/jobs?limit=0", "limit"),
        ("/jobs?limit=101", "limit"),
        ("/jobs?limit=-1", "limit"),
        ("/jobs?limit=", "limit"),
        ("/jobs?limit=%C2%B2", "limit"),
        ("/jobs?limit=" + "9" * 5000, "limit"),
        ("/jobs?status=LOST", "status"),
        ("/jobs?status=", "status"),
        ("/jobs?cursor=x", "cursor"),
        ("/jobs?cursor=1:" + "0" * 31, "cursor"),
        ("/jobs?cursor=%5B1:" + NO_JOB, "cursor"),
        (f"/jobs/{NO_JOB}?wait=soon", "wait"),
        (f"/jobs/{NO_JOB}?wait=-1", "wait"),
        (f"/jobs/{NO_JOB}?wait=1.5", "wait"),
    ],
)
async def test_bad_values_in_the_query_are_refused(waiting: httpx.AsyncClient, path: str, field: str) -> None:
    assert refusal(await waiting.get(path)) == Refusal(422, "invalid_parameter", field)


@pytest.mark.parametrize("prefer", ["wait=soon", "wait", "wait=-1", "wait=1.5", "nowait=5", "", ",;="])
async def test_a_preference_that_is_not_understood_is_ignored(waiting: httpx.AsyncClient, prefer: str) -> None:
    job = await upload(waiting)
    answer = await waiting.get(job["links"]["self"], headers={"Prefer": prefer})
    assert answer.status_code == 200
    assert "preference-applied" not in answer.headers


async def test_a_waiting_job_can_be_removed(waiting: httpx.AsyncClient, alone: WebProcess) -> None:
    job = await upload(waiting)
    assert [path for path in alone.kept() if job["id"] in path.parts]
    answer = await waiting.delete(job["links"]["self"])
    assert (answer.status_code, answer.content) == (204, b"")
    left = [path for path in alone.kept() if job["id"] in path.parts]
    assert [path.stat().st_size for path in left] == [0]  # the tombstone
    for address in job["links"].values():
        assert refusal(await waiting.get(address)) == UNKNOWN
    assert refusal(await waiting.delete(job["links"]["self"])) == UNKNOWN


async def test_a_finished_job_can_be_removed_with_its_results(client: httpx.AsyncClient) -> None:
    job = await done(client)
    assert (await client.delete(job["links"]["self"])).status_code == 204
    for address in (*job["links"].values(), job["results"]["thumbnail"]["url"]):
        assert refusal(await client.get(address)) == UNKNOWN


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "name",
    [NO_JOB, "x", "F" * 32, "0" * 31, "0" * 33, "..%2f..%2fetc", "..%5c..", "%00", f"{NO_JOB}%0A", "*", "%F0%9F%90%88"],
)
async def test_an_unknown_or_malformed_id_is_no_job(waiting: httpx.AsyncClient, method: str, name: str) -> None:
    answer = refusal(await waiting.request(method, f"/jobs/{name}"))
    # The router decodes an encoded slash, so no route matches such a URL.
    assert answer == (Refusal(404, "not_found") if "%2f" in name else UNKNOWN)
    assert refusal(await waiting.get(f"/jobs/{name}/original")).status == 404
    assert refusal(await waiting.get(f"/jobs/{name}/results/thumbnail")).status == 404


async def test_a_waiting_job_is_cancelled(waiting: httpx.AsyncClient) -> None:
    job = await upload(waiting)
    for _ in range(2):
        answer = await waiting.post(f"{job['links']['self']}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (202, "CANCELLED")
    assert refusal(await waiting.get(f"{job['links']['self']}/results/thumbnail")).status == 404
    assert refusal(await waiting.post(f"{job['links']['self']}/retry")) == Refusal(409, "wrong_state")


async def test_a_job_that_is_done_can_neither_be_cancelled_nor_tried_again(client: httpx.AsyncClient) -> None:
    job = await done(client)
    for verb in ("cancel", "retry"):
        assert refusal(await client.post(f"{job['links']['self']}/{verb}")) == Refusal(409, "wrong_state")
    assert (await client.get(job["results"]["thumbnail"]["url"])).status_code == 200


async def test_a_failed_job_is_tried_again(client: httpx.AsyncClient) -> None:
    accepted = await upload(client, data=picture()[:-40])
    address = accepted["links"]["self"]
    failed = (await client.get(address, params={"wait": 30})).json()
    assert (failed["status"], failed["attempts"]) == ("FAILED", 1)
    assert (await client.post(f"{address}/retry")).status_code == 202
    again = (await client.get(address, params={"wait": 30})).json()
    assert (again["status"], again["attempts"], again["error"]) == ("FAILED", 2, failed["error"])
    code = failed["error"]["code"]
    assert [(past["attempt"], past["status"], past["error"]) for past in again["history"]] == [
        (1, "FAILED", code),
        (2, "FAILED", code),
    ]


@pytest.mark.parametrize("verb", ["cancel", "retry"])
async def test_an_unknown_job_can_neither_be_cancelled_nor_tried_again(client: httpx.AsyncClient, verb: str) -> None:
    assert refusal(await client.post(f"/jobs/{NO_JOB}/{verb}")) == UNKNOWN


async def test_many_jobs_are_cancelled_and_removed_in_bounded_steps(waiting: httpx.AsyncClient) -> None:
    jobs = [await upload(waiting) for _ in range(3)]
    step = (await waiting.post("/jobs/cancel", params={"status": "waiting", "limit": 2})).json()
    assert step["count"] == 2
    while step["cursor"]:
        step = (await waiting.post("/jobs/cancel", params={"status": "WAITING", "cursor": step["cursor"]})).json()
    assert {(await waiting.get(job["links"]["self"])).json()["status"] for job in jobs} == {"CANCELLED"}
    selected = {"status": "CANCELLED", "before": jobs[2]["created_at"]}
    removed = (await waiting.delete("/jobs", params={**selected, "limit": 1000})).json()
    assert removed["count"] >= 2
    assert (removed["skipped"], removed["cursor"]) == ({}, None)
    answers = [(await waiting.get(job["links"]["self"])).status_code for job in jobs]
    assert answers == [404, 404, 200]


async def test_all_failed_jobs_are_retried(client: httpx.AsyncClient) -> None:
    accepted = await upload(client, data=picture()[:-40])
    address = accepted["links"]["self"]
    assert (await client.get(address, params={"wait": 30})).json()["status"] == "FAILED"
    answer = await client.post("/jobs/retry?status=FAILED")
    assert answer.status_code == 200
    assert answer.json()["count"] >= 1
    again = (await client.get(address, params={"wait": 30})).json()
    assert (again["status"], again["attempts"]) == ("FAILED", 2)


@pytest.mark.parametrize(
    ("method", "query", "field"),
    [
        ("DELETE", "", "status"),
        ("DELETE", "?limit=1", "status"),
        ("DELETE", "?before=2026-01-31T12:00:00Z&stauts=DONE", "stauts"),
        ("DELETE", "?status=DONE&status=FAILED", "status"),
        ("DELETE", "?status=LOST", "status"),
        ("DELETE", "?tag=", "tag"),
        ("DELETE", "?tag=%23", "tag"),
        ("DELETE", "?tag=a&tag=b", "tag"),
        ("POST", "/retry?tag=a", "status"),
        ("DELETE", "?before=2026-01-31", "before"),
        ("DELETE", "?before=2026-01-31T12:00:00", "before"),
        ("DELETE", "?before=yesterday", "before"),
        ("DELETE", "?status=DONE&limit=1001", "limit"),
        ("DELETE", "?status=DONE&cursor=x", "cursor"),
        ("POST", "/retry", "status"),
        ("POST", "/retry?before=2026-01-31T12:00:00Z", "status"),
        ("POST", "/retry?status=DONE", "status"),
        ("POST", "/cancel?status=FAILED", "status"),
    ],
)
async def test_many_jobs_are_not_changed_without_saying_which(
    waiting: httpx.AsyncClient, method: str, query: str, field: str
) -> None:
    job = await upload(waiting)
    assert refusal(await waiting.request(method, f"/jobs{query}")) == Refusal(422, "invalid_parameter", field)
    assert (await waiting.get(job["links"]["self"])).json()["status"] == "WAITING"
