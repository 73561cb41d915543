"""How responses show a job. The schemas in OpenAPI derive from these models."""

import hashlib
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from quickthumb.http.urls import Urls
from quickthumb.model.caller import Caller
from quickthumb.model.job import Failure, Job, PastAttempt, Result, Status, from_milliseconds
from quickthumb.model.priority import Priority
from quickthumb.model.source import Source

ACCEPTED_MESSAGE = "Image is being resized in the background"
_NOT_SHOWN = {"name", "filename"}


def zulu(moment: datetime) -> str:
    """A moment as all answers write it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(zulu, return_type=str)]


class Links(BaseModel):
    """URLs of the job itself, of its original and of its events."""

    self: str = Field(examples=["/jobs/5f0c7d0e5f0c7d0e5f0c7d0e5f0c7d0e"])
    original: str
    events: str


class ResultView(BaseModel):
    """One result: the URL of its file, its format and size, and how it was made. Sizes are in pixels and bytes."""

    model_config = ConfigDict(extra="allow")

    url: str = Field(description="URL to download the file from.")
    format: str = Field(examples=["jpeg"])
    width: int = Field(examples=[128])
    height: int = Field(examples=[105])
    bytes: int = Field(examples=[4047])


class AttemptView(BaseModel):
    """An attempt that is over. If its worker died, most is null."""

    attempt: int = Field(description="The number of the attempt.", examples=[1])
    worker: str | None = Field(
        description="The `id` of the worker in `GET /workers`; null if unknown, or if you may not see workers.",
        examples=["images-1:4711:9d2c7e1b"],
    )
    started_at: Moment
    seconds: float | None = Field(description="How long it took.", examples=[0.057])
    status: Status | None = Field(description="The status that the job had afterwards.")
    error: str | None = Field(description="The code of the error with which it ended; null if there was none.")


_EXAMPLE_ID = "5f0c7d0e5f0c7d0e5f0c7d0e5f0c7d0e"
_EXAMPLE_ACCEPTED: dict[str, Any] = {
    "id": _EXAMPLE_ID,
    "tenant": "shop",
    "status": "WAITING",
    "created_at": "2026-01-31T12:00:00.000Z",
    "started_at": None,
    "finished_at": None,
    "expires_at": None,
    "attempts": 0,
    "history": [],
    "priority": "normal",
    "run_at": None,
    "source": {
        "filename": "cat.jpg",
        "format": "jpeg",
        "width": 2725,
        "height": 2225,
        "bytes": 829183,
        "sha256": hashlib.sha256(b"cat.jpg").hexdigest(),
    },
    "results": {},
    "error": None,
    "deduplicated": False,
    "derived_from": None,
    "tags": [],
    "context": None,
    "links": {
        "self": Urls().job(_EXAMPLE_ID),
        "original": Urls().original(_EXAMPLE_ID),
        "events": Urls().events(_EXAMPLE_ID),
    },
}
_EXAMPLE_JOB: dict[str, Any] = {
    **_EXAMPLE_ACCEPTED,
    "status": "DONE",
    "started_at": "2026-01-31T12:00:00.004Z",
    "finished_at": "2026-01-31T12:00:00.061Z",
    "expires_at": "2026-02-07T12:00:00.061Z",
    "attempts": 1,
    "history": [
        {
            "attempt": 1,
            "worker": "images-1:4711:9d2c7e1b",
            "started_at": "2026-01-31T12:00:00.004Z",
            "seconds": 0.057,
            "status": "DONE",
            "error": None,
        }
    ],
    "source": {
        **_EXAMPLE_ACCEPTED["source"],
        "frames": 1,
        "has_alpha": False,
        "dominant_color": "#222222",
        "thumbhash": "1DgGDoILwErCm6rIrItnWomdCMOrYKs=",
        "hdr": None,
        "provenance": None,
    },
    "results": {
        "thumbnail": {
            "url": Urls().result(_EXAMPLE_ID, "thumbnail"),
            "format": "jpeg",
            "width": 128,
            "height": 105,
            "bytes": 4047,
            "frames": 1,
            "quality": 80,
            "color": "unchanged",
            "metadata": "stripped",
            "warnings": [],
        }
    },
}


class JobView(BaseModel):
    """A job. It has `results` once it is DONE, and an `error` once it is FAILED."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE_JOB]})

    id: str = Field(description="128 random bits, in hexadecimal.")
    tenant: str = Field(description="The tenant that the job belongs to.", examples=["shop"])
    status: Status
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    expires_at: Moment | None = Field(
        description="When the job and its results may be removed. Null if it has not ended, or is kept forever."
    )
    attempts: int = Field(description="How many attempts have been started.")
    history: list[AttemptView] | None = Field(
        description="The latest attempts that are over, up to 10, the oldest first; null in lists, batches and events."
    )
    priority: Priority
    run_at: Moment | None = Field(description="The job may not begin before this moment; null if it may begin at once.")
    source: Source
    results: dict[str, ResultView] = Field(description="The results by name.")
    error: Failure | None
    deduplicated: bool = Field(description="Whether the results were made for an earlier job of yours.")
    derived_from: str | None = Field(description="The job whose source it shares; null if its image was uploaded.")
    tags: list[str] = Field(description="The words that the job was tagged with.")
    context: dict[str, Any] | None = Field(description="The client's own object.")
    links: Links


class AcceptedJobView(JobView):
    """The response to an upload: the job that was queued."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE_ACCEPTED, "message": ACCEPTED_MESSAGE}]})

    message: str = Field(examples=[ACCEPTED_MESSAGE])


class JobPageView(BaseModel):
    """One page of jobs, newest first."""

    jobs: list[JobView]
    total: int | None = Field(
        description="How many jobs the list has in all. Jobs that expired a short while ago may still count. Null with "
        "`format`, `error`, `filename` or `context`, or with `tag` for all tenants, since these are not counted.",
        examples=[5210],
    )
    next: str | None = Field(description="URL of the next page; null if there is none.")
    cursor: str | None = Field(description="The next page's `cursor`, for clients that build URLs; null if none.")
    looked_back_to: Moment | None = Field(
        description="When the oldest job that the service has searched was accepted; null if it has searched them all."
    )


class BulkView(BaseModel):
    """What one call of a verb for many jobs did."""

    count: int = Field(
        description="How many jobs were changed; with `dry_run`, how many would be changed.", examples=[100]
    )
    skipped: dict[str, int] = Field(
        description="How many jobs could not be changed, by the code of the error.", examples=[{"wrong_state": 2}]
    )
    cursor: str | None = Field(description="Repeat the call with this cursor to continue; null if all jobs are done.")


def present(job: Job, urls: Urls) -> dict[str, Any]:
    """The job as responses show it: what the JSON of its JobView has. To make that first would take most of a poll."""
    return {
        "id": job.id,
        "tenant": job.tenant,
        "status": job.status.value,
        "created_at": zulu(job.created_at),
        "started_at": zulu(job.started_at) if job.started_at else None,
        "finished_at": zulu(job.finished_at) if job.finished_at else None,
        "expires_at": zulu(job.expires_at) if job.expires_at else None,
        "attempts": job.attempts,
        "history": None,
        "priority": job.priority,
        "run_at": zulu(job.run_at) if job.run_at else None,
        "source": job.source,
        "results": {result.name: present_result(job.id, result, urls) for result in job.results},
        "error": job.error,
        "deduplicated": job.deduplicated,
        "derived_from": job.derived_from,
        "tags": job.order.get("tag", ()),
        "context": job.order.get("context"),
        "links": {"self": urls.job(job.id), "original": urls.original(job.id), "events": urls.events(job.id)},
    }


def present_one(job: Job, urls: Urls, caller: Caller) -> dict[str, Any]:
    """The job with its history, as responses show it that are about this job alone."""
    shows_workers = caller.may_see_workers
    return {**present(job, urls), "history": [_present_attempt(past, shows_workers) for past in job.history]}


def present_accepted(job: Job, urls: Urls, caller: Caller) -> dict[str, Any]:
    """The job as the response to its upload shows it: what the JSON of its AcceptedJobView has."""
    return {**present_one(job, urls, caller), "message": ACCEPTED_MESSAGE}


def _present_attempt(past: PastAttempt, shows_workers: bool) -> dict[str, Any]:
    return {
        "attempt": past.number,
        "worker": past.worker if shows_workers else None,
        "started_at": zulu(from_milliseconds(past.started_ms)),
        "seconds": None if past.busy_ms is None else past.busy_ms / 1000,
        "status": past.status,
        "error": past.error,
    }


def present_result(job_id: str, result: Result, urls: Urls) -> dict[str, Any]:
    """A result as responses show it: what the JSON of its ResultView has."""
    return {"url": urls.result(job_id, result.name), **result.model_dump(exclude=_NOT_SHOWN)}
