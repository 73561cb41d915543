"""For operators: `/workers`, `/failures` and `/system`, what runs, what fails, and on what it runs."""

from dataclasses import asdict, fields
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import json_answer
from quickthumb.http.requests import caller_of, deployment_of
from quickthumb.queue.workers import Report, Worker
from quickthumb.service.failures import FailureGroup
from quickthumb.web.presentation import Moment
from quickthumb.web.stats import FRESH, span_asked

# Of a paused worker of another release.
UNTOLD = "The worker does not say why."


class _View(BaseModel):
    """Made from an object with the same fields."""

    model_config = ConfigDict(from_attributes=True)


class RunningView(_View):
    """An attempt that a worker makes."""

    kind: str = Field(description="`job`, `email` or `delivery` (to a webhook).", examples=["job"])
    id: str = Field(examples=["5f0c7d0e5f0c7d0e5f0c7d0e5f0c7d0e"])
    attempt: int = Field(description="The number of the attempt.", examples=[1])
    since: Moment


class WorkerView(_View):
    """A worker that is alive, as it was at its last heartbeat. Of a worker of an earlier release, most is null."""

    id: str = Field(examples=["images-1:4711:9d2c7e1b"])
    last_seen: Moment = Field(description="Its last heartbeat; there is one every quarter of `LEASE_SECONDS`.")
    paused: str | None = Field(description="Why it takes no jobs; null if it takes jobs.")
    host: str | None = Field(description="The name of its machine or container.", examples=["images-1"])
    pid: int | None = Field(examples=[4711])
    version: str | None = Field(description="The release that it runs.", examples=["0.1.0"])
    started_at: Moment | None = Field(description="By the clock of its machine.")
    threads: int | None = Field(description="Threads for images: `WORKER_THREADS`, and one for small ones.")
    busy: int | None = Field(description="How many of these are working.", examples=[2])
    stuck: int | None = Field(description="Threads abandoned because their images never finish.", examples=[0])
    memory_bytes: int | None = Field(
        description="Resident memory of the worker and its sandbox processes, if the system reports it.",
        examples=[183_000_000],
    )
    jobs_done: int | None = Field(description="Jobs that it has finished as DONE since its start.", examples=[5210])
    running: list[RunningView] = Field(description="What it is doing, the oldest first.")

    @classmethod
    def of(cls, worker: Worker) -> Self:
        said: dict[str, Any] = dict.fromkeys(field.name for field in fields(Report)) | {"running": ()}
        if worker.report is not None:
            said |= asdict(worker.report)
        paused = (said["paused_for"] or UNTOLD) if worker.is_paused else None
        return cls.model_validate({"id": worker.id, "last_seen": worker.seen_at, "paused": paused, **said})


class WorkersView(BaseModel):
    """The workers that are alive."""

    workers: list[WorkerView]


class FailureGroupView(BaseModel):
    """The jobs that FAILED with one error. If an earlier release raised it, `title`, `meaning` and `retryable` are
    null."""

    code: str = Field(description="The stable code of the error.", examples=["broken_image"])
    title: str | None = Field(examples=["The image is damaged"])
    meaning: str | None = Field(description="When the error arises, and what to do.")
    retryable: bool | None = Field(description="Whether retrying such a job may help.")
    count: int = Field(description="How many jobs FAILED with it in the span.", examples=[3])
    kept: int = Field(description="How many of the jobs in `looked_at` are FAILED with it now.", examples=[3])
    example_job: str | None = Field(
        description="The newest of these, of the tenant `default` if there is one.",
        examples=["5f0c7d0e5f0c7d0e5f0c7d0e5f0c7d0e"],
    )
    example_tenant: str | None = Field(description="The tenant of that job.", examples=["shop"])

    @classmethod
    def of(cls, group: FailureGroup) -> Self:
        kept = group.kept
        return cls(
            code=group.code,
            title=group.title,
            meaning=group.meaning,
            retryable=group.retryable,
            count=group.count,
            kept=kept.count if kept else 0,
            example_job=kept and kept.job_id,
            example_tenant=kept and kept.tenant,
        )


class FailuresView(BaseModel):
    """Why jobs FAILED."""

    span: str = Field(examples=["hour"])
    seconds: float = Field(description="How long ago counting began: less than the span if workers have run for less.")
    kept: int = Field(description="Jobs that are FAILED now.", examples=[3])
    looked_at: int = Field(description="How many of these were examined, newest first.", examples=[3])
    failures: list[FailureGroupView] = Field(description="By error, the most frequent first.")


class DiskView(_View):
    """The disk of the data folder."""

    total_bytes: int
    used_bytes: int
    free_bytes: int = Field(description="Free space that the service may use.")
    reserved_bytes: int = Field(description="With less than this free, uploads are refused (twice `MIN_FREE_BYTES`).")


class RedisView(_View):
    """The Redis, or Valkey, of the deployment."""

    name: str = Field(examples=["Valkey"])
    version: str = Field(examples=["9.0.1"])
    used_memory_bytes: int
    max_memory_bytes: int | None = Field(description="Its limit, beyond which it refuses writes; null if it has none.")
    connected_clients: int = Field(examples=[9])
    evicted_keys: int = Field(description="Keys that it evicted for lack of memory; should be 0.", examples=[0])
    appends: bool = Field(description="Whether it appends every change to a file (`appendonly`).")
    saves: bool | None = Field(description="Whether it writes snapshots (`save`); null if its user may not read this.")
    writes_fail: bool = Field(description="Whether its last write to its disk failed.")


class WebProcessView(_View):
    """The web process that has answered."""

    host: str = Field(examples=["images-1"])
    pid: int = Field(examples=[4712])
    version: str = Field(examples=["0.1.0"])
    started_at: Moment


class SystemView(_View):
    """What the deployment runs on."""

    disk: DiskView | None = Field(description="null while the data folder cannot be used.")
    redis: RedisView | None = Field(description="null while Redis cannot be reached.")
    web: WebProcessView


async def workers(request: Request) -> Response:
    """The workers that are alive, what each is doing, and how much of its machine it takes. A worker that dies is
    missing after 10 seconds."""
    found = await deployment_of(request).workers(caller_of(request))
    return json_answer(WorkersView(workers=list(map(WorkerView.of, found))), headers=FRESH)


async def failures(request: Request) -> Response:
    """Why jobs FAILED: for each error, how many did in the last hour, day or week, how many of the newest 1,000 FAILED
    jobs had it, and an example of these."""
    span = span_asked(request)
    found = await deployment_of(request).failures(caller_of(request), span)
    view = FailuresView(
        span=span.name,
        seconds=round(found.seconds, 3),
        kept=found.kept,
        looked_at=found.counted,
        failures=list(map(FailureGroupView.of, found.groups)),
    )
    return json_answer(view, headers=FRESH)


async def system(request: Request) -> Response:
    """The disk, Redis, and the web process that answers. What cannot be asked is null."""
    found = await deployment_of(request).system(caller_of(request))
    return json_answer(SystemView.model_validate(found), headers=FRESH)
