"""For the people who run and try the service: `/healthz`, `/readyz`, `/metrics`, `/openapi.json` and `/docs`.

The pages are served from this package's own files; nothing is loaded from elsewhere.
"""

from http import HTTPStatus
from pathlib import Path

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from quickthumb import metrics
from quickthumb.http.endpoints import json_answer
from quickthumb.http.problems import problem
from quickthumb.http.requests import health_of, metrics_of
from quickthumb.http.urls import urls_of
from quickthumb.model.errors import NotServing
from quickthumb.queue.errors import QueueUnavailable

STATIC = Path(__file__).parent / "static"
# Swagger UI sets styles from its script and draws its icons from data: URLs; it needs nothing else.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


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
    checks = await health_of(request).readiness()
    if all(state == "ok" for state in checks.values()):
        return json_answer(Readiness(status="ready", checks=checks), headers={"Cache-Control": "no-store"})
    missing = " ".join(state for state in checks.values() if state != "ok")
    return problem(NotServing(missing), checks=checks)


async def scrape(request: Request) -> Response:
    """The metrics in Prometheus' text format."""
    try:
        tally = await health_of(request).tally()
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


async def home(request: Request) -> Response:
    """Leads to the docs."""
    return RedirectResponse(urls_of(request).docs())


async def docs(request: Request) -> Response:
    """Swagger UI."""
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
    return FileResponse(STATIC / "docs.html", headers=headers, media_type="text/html")


async def openapi(request: Request) -> Response:
    """The description of every route, OpenAPI 3.1."""
    return Response(request.app.state.openapi, headers={"Cache-Control": "no-cache"}, media_type="application/json")
