"""What operators see: charts, workers, failures, and the state of disk and Redis."""

from datetime import datetime, timedelta

import httpx
import pytest

from quickthumb import __version__
from quickthumb.model.errors import BrokenImage
from quickthumb.model.job import Status, now
from quickthumb.queue.history import Gauges
from quickthumb.service.stats import Point, Times, Window
from quickthumb.web.stats import PointView
from tests.conftest import picture
from tests.waiting import wait_until
from tests.web.conftest import Refusal, done, refusal, upload
from tests.web.test_openapi import Description, check, description

__all__ = ["description"]


@pytest.mark.parametrize("path", ["/stats", "/stats/history", "/workers", "/failures", "/system"])
async def test_answers_are_as_described_and_not_kept_by_caches(
    client: httpx.AsyncClient, description: Description, path: str
) -> None:
    answer = await client.get(path)
    check(description, answer, "GET", path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("span", "seconds"), [("hour", 60), ("day", 900), ("week", 7200)])
async def test_a_chart_of_each_span(client: httpx.AsyncClient, span: str, seconds: int) -> None:
    chart = (await client.get("/stats/history", params={"span": span})).json()
    assert (chart["span"], chart["slot_seconds"]) == (span, seconds)
    moments = [point["at"] for point in chart["points"]]
    assert moments == sorted(moments)


def test_a_point_of_a_chart() -> None:
    ended = {Status.DONE: 10, Status.FAILED: 2}
    window = Window(60.0, ended, waiting=Times(0.01234567, 2.0), working=Times(None, None), failures={})
    point = PointView.of(Point(1_700_000_000.25, window, Gauges(3, 2, 1.23456, 1))).model_dump(mode="json")
    assert point == {
        "at": "2023-11-14T22:13:20.250Z",
        "seconds": 60.0,
        "done": 10,
        "failed": 2,
        "jobs_per_second": 0.2,
        "waiting_p50": 0.0123,
        "waiting_p95": 2.0,
        "working_p50": None,
        "working_p95": None,
        "queued": 3,
        "waiting": 2,
        "oldest_waiting_seconds": 1.2346,
        "workers": 1,
    }
    of_earlier_release = PointView.of(Point(1_700_000_000.25, window, None)).model_dump()
    assert {of_earlier_release[name] for name in ("queued", "waiting", "oldest_waiting_seconds", "workers")} == {None}


@pytest.mark.parametrize("path", ["/stats/history", "/failures"])
async def test_a_span_that_there_is_not(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, params={"span": "year"})
    assert refusal(answer) == Refusal(422, "invalid_parameter", "span")
    assert "hour, day, week" in answer.json()["detail"]


async def test_the_worker_of_the_service(client: httpx.AsyncClient) -> None:
    await done(client)

    async def has_done_a_job() -> bool:
        return bool((await client.get("/workers")).json()["workers"][0]["jobs_done"])

    await wait_until(has_done_a_job)
    (worker,) = (await client.get("/workers")).json()["workers"]
    assert (worker["version"], worker["paused"], worker["stuck"]) == (__version__, None, 0)
    assert f":{worker['pid']}:" in worker["id"]
    assert 0 <= worker["busy"] <= worker["threads"]
    assert worker["memory_bytes"] is None or worker["memory_bytes"] > 10**7
    assert worker["started_at"] < worker["last_seen"]
    assert now() - datetime.fromisoformat(worker["last_seen"]) < timedelta(seconds=10)


async def test_a_failure_with_what_it_means_and_an_example(client: httpx.AsyncClient) -> None:
    job = await upload(client, data=picture()[:-400])
    await client.get(job["links"]["self"], params={"wait": 30})
    found = (await client.get("/failures")).json()
    (group,) = (group for group in found["failures"] if group["code"] == BrokenImage.code)
    assert (group["title"], group["retryable"]) == (BrokenImage.title, False)
    assert group["meaning"].startswith("The image is damaged")
    assert (group["example_job"], group["example_tenant"]) == (job["id"], "default")
    assert found["kept"] >= found["looked_at"] >= group["kept"] >= 1
    await client.delete(job["links"]["self"])
    groups = (await client.get("/failures")).json()["failures"]
    assert job["id"] not in [group["example_job"] for group in groups]


async def test_disk_redis_and_web(client: httpx.AsyncClient) -> None:
    system = (await client.get("/system")).json()
    assert 0 < system["disk"]["reserved_bytes"] < system["disk"]["free_bytes"] < system["disk"]["total_bytes"]
    assert system["redis"]["name"] in {"Redis", "Valkey"}
    assert (system["redis"]["appends"], system["redis"]["evicted_keys"]) == (True, 0)
    assert system["redis"]["connected_clients"] >= 2
    assert system["web"]["version"] == __version__
