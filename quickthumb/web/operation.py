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
from quickthumb.service.stats import FAILED_WITH


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
        queued=tally.in_line,
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
