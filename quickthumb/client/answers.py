"""The service's answers as frozen dataclasses. Fields that this release does not know are in `facts`, or left out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from quickthumb.client.errors import UnexpectedAnswer


class Status(StrEnum):
    """The status of a job. The last three are final, except that a FAILED job can be retried."""

    WAITING = "WAITING"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        return self in (Status.DONE, Status.FAILED, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class Source:
    """The uploaded image. A field is None until the service knows it; sizes are in pixels and bytes.

    `facts` holds whatever else the service found out, such as `dominant_color` and `thumbhash`.
    """

    filename: str | None
    format: str | None
    width: int | None
    height: int | None
    bytes: int | None
    sha256: str | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """One result of a job. Sizes are in pixels and bytes; `facts` says how it was made: `quality`, `warnings` and more.

    `url` is as the service gave it: a path, or a whole URL.
    """

    job_id: str
    name: str
    url: str
    format: str
    width: int
    height: int
    bytes: int
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job FAILED. `code` is stable; `title` and `detail` are for people.

    `retryable` says whether the job may succeed when it is retried.
    """

    code: str
    title: str
    detail: str
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the service showed it at one moment. `results` are by name, and there are none before it is DONE."""

    id: str
    status: Status
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    attempts: int
    source: Source
    results: Mapping[str, Result]
    error: Failure | None
    tags: tuple[str, ...] = ()
    context: Mapping[str, Any] | None = None
    # None if the service is of an earlier release.
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of jobs, and the URL of the next one; None if there is none.

    `total` is how many jobs there are on all pages together; None if the service is of an earlier release.
    """

    jobs: tuple[Job, ...]
    next: str | None
    total: int | None = None


def parse_job(body: bytes) -> Job:
    """The job in an answer. Raises UnexpectedAnswer."""
    try:
        return _job(json.loads(body))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _strange(body) from error


def parse_page(body: bytes) -> Page:
    """The page in an answer. Raises UnexpectedAnswer."""
    try:
        shown = json.loads(body)
        following, total = shown["next"], shown.get("total")
        return Page(
            tuple(map(_job, shown["jobs"])),
            None if following is None else str(following),
            None if total is None else int(total),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _strange(body) from error


def parse_presets(body: bytes) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
    """The presets in an answer: the outputs of each, by its name. Raises UnexpectedAnswer."""
    try:
        presets = json.loads(body)["presets"]
        return {str(name): tuple(dict(output) for output in outputs) for name, outputs in presets.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _strange(body) from error


def parse_result(body: bytes) -> Result:
    """The result in an event. Raises UnexpectedAnswer."""
    try:
        shown = json.loads(body)
        return _result(str(shown["id"]), str(shown["name"]), shown["result"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _strange(body) from error


def parse_change(body: bytes) -> tuple[str, Status | None, int | None]:
    """The job's id, its status and the number of its attempt in an event, as far as it has them. Raises
    UnexpectedAnswer."""
    try:
        shown = json.loads(body)
        status, attempt = shown.get("status"), shown.get("attempt")
        return str(shown["id"]), None if status is None else Status(status), None if attempt is None else int(attempt)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _strange(body) from error


def _job(shown: Mapping[str, Any]) -> Job:
    error = shown["error"]
    return Job(
        id=str(shown["id"]),
        status=Status(shown["status"]),
        created_at=datetime.fromisoformat(shown["created_at"]),
        started_at=_moment(shown["started_at"]),
        finished_at=_moment(shown["finished_at"]),
        # A service of an earlier release does not tell.
        expires_at=_moment(shown.get("expires_at")),
        attempts=int(shown["attempts"]),
        source=_source(shown["source"]),
        results={name: _result(shown["id"], name, made) for name, made in shown["results"].items()},
        error=None if error is None else _failure(error),
        tags=tuple(shown.get("tags", ())),
        context=shown.get("context"),
        tenant=shown.get("tenant"),
    )


def _failure(shown: Mapping[str, Any]) -> Failure:
    return Failure(shown["code"], shown["title"], shown["detail"], bool(shown.get("retryable", False)))


def _source(shown: Mapping[str, Any]) -> Source:
    names = ("filename", "format", "width", "height", "bytes", "sha256")
    known = {name: shown.get(name) for name in names}
    return Source(**known, facts=_others(shown, names))


def _result(job_id: str, name: str, shown: Mapping[str, Any]) -> Result:
    names = ("url", "format", "width", "height", "bytes")
    known = {key: shown[key] for key in names}
    return Result(job_id=job_id, name=name, **known, facts=_others(shown, names))


def _others(shown: Mapping[str, Any], known: tuple[str, ...]) -> Mapping[str, Any]:
    return {name: value for name, value in shown.items() if name not in known}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _strange(body: bytes) -> UnexpectedAnswer:
    start = body[:60].decode(errors="replace")
    return UnexpectedAnswer(f"The answer does not come from QuickThumb; it begins with {start!r}.")
