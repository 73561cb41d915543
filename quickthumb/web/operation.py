"""For operators and developers: `/healthz`, `/readyz`, `/metrics`, `/stats` and `/openapi.json`."""

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from quickthumb import metrics
from quickthumb.http.endpoints import json_answer
from quickthumb.http.problems import problem
from quickthumb.http.requests import caller_of, health_of, metrics_of
from quickthumb.http.urls import urls_of
from quickthumb.model.caller import Caller
from quickthumb.model.errors import NotServing
from quickthumb.model.job import Status
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.keys import DELIVERY
from quickthumb.queue.tally import TenantTally
from quickthumb.queue.totals import durations
from quickthumb.service.health import Health as HealthService
from quickthumb.service.stats import FAILED_WITH, Times, Window


class Health(BaseModel):
    """The process is alive."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """The service can accept and process images."""

    status: str = Field(examples=["ready"])
    checks: dict[str, str] = Field(examples=[{"redis": "ok", "disk": "ok", "workers": "ok"}])


async def alive(request: Request) -> Response:
    """Answers 200 while the process is alive. Checks nothing else."""
    return json_answer(Health(status="ok"), headers={"Cache-Control": "no-store"})


async def ready(request: Request) -> Response:
    """Answers 200 if Redis and the disk accept writes and a worker is alive; otherwise 503, which says what failed."""
    checks = await health_of(request).readiness()
    if all(state == "ok" for state in checks.values()):
        return json_answer(Readiness(status="ready", checks=checks), headers={"Cache-Control": "no-store"})
    missing = " ".join(state for state in checks.values() if state != "ok")
    return problem(NotServing(missing), urls_of(request), checks=checks)


class TimesView(BaseModel):
    """The median and the 95th percentile in seconds, estimated from a histogram; null if there is none."""

    p50: float | None = Field(examples=[0.012])
    p95: float | None = Field(examples=[0.048])


class WindowView(BaseModel):
    """What happened in the last `seconds`: less than the name says if workers have not run for so long."""

    seconds: float = Field(examples=[3600.0])
    done: int = Field(description="Jobs that ended DONE.", examples=[5210])
    failed: int = Field(description="Jobs that ended FAILED.", examples=[3])
    jobs_per_second: float = Field(description="Jobs that ended, per second.", examples=[1.45])
    waiting_seconds: TimesView = Field(description="How long jobs waited for their first attempt.")
    working_seconds: TimesView = Field(description="How long attempts took.")
    failures: dict[str, int] = Field(description="FAILED jobs by the code of the error.", examples=[{"gave_up": 3}])


class StatsView(BaseModel):
    """How busy the service is, and has been."""

    jobs: dict[str, int] = Field(description="Kept jobs by status.", examples=[{"WAITING": 12, "DONE": 5210}])
    queued: int = Field(description="Jobs and emails that wait or run.", examples=[14])
    oldest_waiting_seconds: float = Field(description="Age of the oldest WAITING job; 0 if there is none.")
    workers: int = Field(description="Workers that take jobs.", examples=[2])
    hour: WindowView
    day: WindowView
    week: WindowView


async def stats(request: Request) -> Response:
    """How many jobs wait and for how long, how many end, how long they wait and take, and why they fail: now, and in
    the last hour, day and week. The history survives restarts, but not the loss of Redis."""
    found = await health_of(request).stats(caller_of(request))
    view = StatsView(
        jobs={status.value: count for status, count in found.tally.statuses.items()},
        queued=found.tally.queued,
        oldest_waiting_seconds=found.tally.oldest_waiting_seconds,
        workers=found.tally.workers,
        **{name: _window(window) for name, window in found.windows.items()},
    )
    return json_answer(view, headers={"Cache-Control": "no-store"})


def _window(window: Window) -> WindowView:
    done, failed = window.ended[Status.DONE], window.ended[Status.FAILED]
    return WindowView(
        seconds=round(window.seconds, 3),
        done=done,
        failed=failed,
        jobs_per_second=round((done + failed) / window.seconds, 3) if window.seconds else 0.0,
        waiting_seconds=_times(window.waiting),
        working_seconds=_times(window.working),
        failures=dict(window.failures),
    )


def _times(times: Times) -> TimesView:
    p50, p95 = (None if seconds is None else round(seconds, 4) for seconds in (times.p50, times.p95))
    return TimesView(p50=p50, p95=p95)


async def scrape(request: Request) -> Response:
    """Metrics in Prometheus' text format: those of the whole deployment to a key of the tenant `default`, to any other
    key only those of its own tenant. While Redis is unavailable, the metrics of jobs are missing."""
    health, caller = health_of(request), caller_of(request)
    if caller.runs_deployment:
        numbers, tenants, probe_seconds = await asyncio.gather(
            _job_numbers(health), _tenant_numbers(health, caller), health.probe_storage()
        )
        text = metrics_of(request).exposition(numbers, probe_seconds, tenants or {})
    else:
        text = metrics.exposition_for_tenants(await _tenant_numbers(health, caller))
    return Response(text, HTTPStatus.OK, {"Cache-Control": "no-store"}, metrics.CONTENT_TYPE)


async def _tenant_numbers(health: HealthService, caller: Caller) -> dict[str, metrics.TenantNumbers] | None:
    """The numbers of the single tenants that the caller may see; None if Redis is unavailable."""
    try:
        tallies = await health.tenants_tallies(caller)
    except QueueUnavailable:
        return None
    return {tenant: _numbers_of(tally) for tenant, tally in tallies.items()}


def _numbers_of(tally: TenantTally) -> metrics.TenantNumbers:
    return metrics.TenantNumbers(
        jobs={status.value: count for status, count in tally.statuses.items()},
        oldest_waiting_seconds=tally.oldest_waiting_seconds,
        attempts=_attempts(tally.totals),
        accepted=tally.totals.get("accepted", 0),
        accepted_bytes=tally.totals.get("accepted_bytes", 0),
    )


def _attempts(totals: Mapping[str, int]) -> dict[str, int]:
    prefix = "attempts:"
    return {name.removeprefix(prefix): count for name, count in totals.items() if name.startswith(prefix)}


async def _job_numbers(health: HealthService) -> metrics.JobNumbers | None:
    try:
        tally = await health.tally()
    except QueueUnavailable:
        return None
    ended = (Status.DONE, Status.FAILED, Status.CANCELLED)
    return metrics.JobNumbers(
        jobs={status.value: count for status, count in tally.statuses.items()},
        queued=max(0, tally.queued - tally.deliveries),
        oldest_waiting_seconds=tally.oldest_waiting_seconds,
        workers=tally.workers,
        attempts=_attempts(tally.totals),
        busy_seconds=tally.totals.get("busy_ms", 0) / 1000,
        failures={
            name.removeprefix(FAILED_WITH): count
            for name, count in tally.totals.items()
            if name.startswith(FAILED_WITH)
        },
        waits=durations(tally.totals, "wait"),
        attempt_times=durations(tally.totals, "attempt"),
        deliveries=tally.deliveries,
        delivered={status.value: tally.totals.get(f"{DELIVERY.totals}attempts:{status}", 0) for status in ended},
    )


async def openapi(request: Request) -> Response:
    """The OpenAPI 3.1 document of every endpoint."""
    document: bytes = await asyncio.to_thread(request.app.state.openapi)
    base = urls_of(request).base
    if base:
        document = document.replace(b"{", b'{"servers": [{"url": %s}], ' % json.dumps(base).encode(), 1)
    return Response(document, headers={"Cache-Control": "no-cache"}, media_type="application/json")
