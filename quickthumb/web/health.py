"""`/healthz`, `/readyz` and `/metrics`: for whoever keeps the service running."""

from http import HTTPStatus

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from quickthumb import metrics
from quickthumb.http.answers import json_answer
from quickthumb.http.problems import problem
from quickthumb.http.state import metrics_of, service_of
from quickthumb.model.errors import NotServing
from quickthumb.queue.errors import QueueUnavailable


class Health(BaseModel):
    """The process answers."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """Images can be taken and worked on."""

    status: str = Field(examples=["ready"])
    checks: dict[str, str] = Field(examples=[{"redis": "ok", "disk": "ok", "workers": "ok"}])


async def alive(request: Request) -> Response:
    """Answers as long as the process does; looks at nothing else."""
    return json_answer(Health(status="ok"), headers={"Cache-Control": "no-store"})


async def ready(request: Request) -> Response:
    """Answers 200 when Redis and the disk take writes and a worker is alive, else 503 with what is missing."""
    checks = await service_of(request).readiness()
    if all(state == "ok" for state in checks.values()):
        return json_answer(Readiness(status="ready", checks=checks), headers={"Cache-Control": "no-store"})
    missing = " ".join(state for state in checks.values() if state != "ok")
    return problem(NotServing(missing), checks=checks)


async def scrape(request: Request) -> Response:
    """The metrics in Prometheus' text format."""
    try:
        tally = await service_of(request).tally()
    except QueueUnavailable:
        numbers = None
    else:
        prefix = "attempts:"
        attempts = {name.removeprefix(prefix): count for name, count in tally.totals.items() if name.startswith(prefix)}
        busy_seconds = tally.totals.get("busy_ms", 0) / 1000
        jobs = {status.value: count for status, count in tally.statuses.items()}
        numbers = metrics.JobNumbers(jobs, tally.queued, tally.workers, attempts, busy_seconds)
    text = metrics_of(request).exposition(numbers)
    return Response(text, HTTPStatus.OK, {"Cache-Control": "no-store"}, metrics.CONTENT_TYPE)
