from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import http_client, running_service
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web.conftest import Refusal, done, refusal
from tests.web_process import running_web


async def samples(client: httpx.AsyncClient) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every number of /metrics by its name and labels."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(answer.text))
    assert all(family.documentation and family.type != "unknown" for family in families)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


async def number(client: httpx.AsyncClient, name: str, **labels: str) -> float:
    return (await samples(client)).get((name, frozenset(labels.items())), 0)


async def test_the_process_is_alive(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"


async def test_the_whole_service_is_ready(client: httpx.AsyncClient) -> None:
    async def is_ready() -> bool:
        return (await client.get("/readyz")).status_code == 200

    await wait_until(is_ready)  # the worker shows that it is alive a moment after the web process answers
    answer = await client.get("/readyz")
    assert answer.json() == {"status": "ready", "checks": {"redis": "ok", "disk": "ok", "workers": "ok"}}


async def test_without_a_worker_it_is_not_ready(waiting: httpx.AsyncClient) -> None:
    answer = await waiting.get("/readyz")
    assert refusal(answer) == Refusal(503, "not_serving")
    assert answer.json()["checks"] == {"redis": "ok", "disk": "ok", "workers": "No worker is running."}
    assert answer.headers["retry-after"] == "2"


async def test_without_redis_it_is_alive_but_not_ready_and_recovers_by_itself(tmp_path: Path) -> None:
    async with (
        RedisServer(tmp_path) as redis,
        running_web(tmp_path / "web", redis.url) as web,
        httpx.AsyncClient(base_url=web.address, timeout=30) as client,
    ):
        await redis.stop()
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
        assert refusal(answer) == Refusal(503, "not_serving")
        assert answer.json()["checks"]["redis"] != "ok"
        assert answer.json()["checks"]["disk"] == "ok"
        refused = await client.post("/images/", files={"image": ("cat.jpg", b"\xff\xd8\xff")})
        assert refusal(refused) == Refusal(503, "queue_unavailable")
        assert refused.headers["retry-after"] == "2"
        assert web.kept() == []
        assert refusal(await client.get("/jobs/" + "0" * 32)) == Refusal(503, "queue_unavailable")
        for path in ("/stats/history", "/workers", "/failures"):
            assert refusal(await client.get(path)) == Refusal(503, "queue_unavailable")
        system = (await client.get("/system")).json()
        assert system["redis"] is None
        assert system["disk"]["free_bytes"] > 0
        names = {name for name, _ in await samples(client)}
        assert "quickthumb_http_requests_total" in names
        assert "quickthumb_jobs" not in names
        assert await number(client, "quickthumb_redis_up") == 0
        assert await number(client, "quickthumb_storage_up") == 1
        await redis.start()

        async def redis_is_back() -> bool:
            return bool((await client.get("/readyz")).json()["checks"]["redis"] == "ok")

        await wait_until(redis_is_back)
        assert str(redis.url) not in web.log.read_text()


@pytest.fixture
async def unshared(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that no other test uses: nothing is queued there, not even for later."""
    with running_service(tmp_path) as address:
        async with http_client(address) as client:
            yield client


async def test_metrics_count_what_is_done(unshared: httpx.AsyncClient) -> None:
    client, uploads = unshared, {"method": "POST", "route": "/images/", "status": "202"}
    before = await samples(client)
    job = await done(client)
    after = await samples(client)

    def risen(name: str, **labels: str) -> float:
        key = (name, frozenset(labels.items()))
        return after[key] - before.get(key, 0)

    assert risen("quickthumb_http_requests_total", **uploads) == 1
    assert risen("quickthumb_http_request_seconds_count", method="POST", route="/images/") == 1
    assert risen("quickthumb_upload_bytes_total") == job["source"]["bytes"]
    assert risen("quickthumb_jobs", status="DONE") == 1
    assert risen("quickthumb_attempts_total", status="DONE") == 1
    assert risen("quickthumb_busy_seconds_total") > 0
    assert after[("quickthumb_workers", frozenset())] == 1
    assert after[("quickthumb_queue_length", frozenset())] == 0
    assert after[("quickthumb_oldest_waiting_seconds", frozenset())] == 0
    assert after[("quickthumb_redis_up", frozenset())] == after[("quickthumb_storage_up", frozenset())] == 1
    assert after[("quickthumb_storage_probe_seconds", frozenset())] > 0
    for name in ("quickthumb_job_wait_seconds", "quickthumb_attempt_seconds"):
        assert risen(f"{name}_count") == risen(f"{name}_bucket", le="+Inf") == risen(f"{name}_bucket", le="3600.0") == 1
        assert risen(f"{name}_sum") >= 0


async def test_several_web_processes_show_one_set_of_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer comes from any one of them, and counts what all have answered, also after one was replaced."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    words = ("quickthumb", "serve", "--port", "0", "--workers", "3")
    async with running_web(tmp_path, f"unix://{tmp_path}/none", words=words) as web:
        await wait_until(lambda: web.log.read_text().count("Application startup complete") == 3, seconds=60)
        labels = {"method": "GET", "route": "/healthz", "status": "200"}
        for asked in range(1, 31):
            async with http_client(web.address) as client:  # a connection, and so a process, of its own
                assert (await client.get("/healthz")).status_code == 200

            async def all_are_counted(asked: int = asked) -> bool:
                async with http_client(web.address) as client:
                    return await number(client, "quickthumb_http_requests_total", **labels) == asked

            if asked % 10 == 0:
                await wait_until(all_are_counted)
            if asked == 20:
                child = next(child for child in web.process.children() if "spawn_main" in " ".join(child.cmdline()))
                child.kill()
                await wait_until(lambda: web.log.read_text().count("Application startup complete") == 4, seconds=60)
        assert list(tmp_path.glob("quickthumb-metrics-*"))
    assert not list(tmp_path.glob("quickthumb-metrics-*"))
