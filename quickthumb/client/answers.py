"""The service's answers as frozen dataclasses. Fields that this release does not know are in `facts`, or left out."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from quickthumb.client.errors import UnexpectedAnswer

T = TypeVar("T")


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
class JobAttempt:
    """An attempt at a job that is over. `worker` is None if it is unknown, or only operators may know it.

    `status` is what the job became, `error` the code of the error that ended the attempt, if one did. Of an attempt
    whose worker died, only `attempt` and `started_at` are known.
    """

    attempt: int
    worker: str | None
    started_at: datetime
    seconds: float | None
    status: Status | None
    error: str | None


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
    # The latest attempts that are over, the oldest first. None in lists, batches and events, and from such a service.
    history: tuple[JobAttempt, ...] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of jobs, and the URL of the next one; None if there is none.

    `total` is how many jobs there are on all pages together; None if the service is of an earlier release.
    """

    jobs: tuple[Job, ...]
    next: str | None
    total: int | None = None


def parsed(body: bytes, read: Callable[[Any], T]) -> T:
    """What `read` makes of the JSON in an answer. Raises UnexpectedAnswer if that is not what it expects."""
    try:
        return read(json.loads(body))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        start = body[:60].decode(errors="replace")
        raise UnexpectedAnswer(f"The answer does not come from QuickThumb; it begins with {start!r}.") from error


def parse_job(body: bytes) -> Job:
    """The job in an answer. Raises UnexpectedAnswer, as all of these do."""
    return parsed(body, job_of)


def parse_page(body: bytes) -> Page:
    """The page in an answer."""
    return parsed(body, _page)


def parse_presets(body: bytes) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
    """The presets in an answer: the outputs of each, by its name."""
    return parsed(body, _presets)


def parse_bulk(body: bytes) -> tuple[int, str | None]:
    """How many jobs a call has changed, and where to go on; None at the end."""
    return parsed(body, lambda shown: (int(shown["count"]), _text(shown["cursor"])))


def parse_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object in an answer."""
    return parsed(body, dict)


def parse_result(body: bytes) -> Result:
    """The result in an event."""
    return parsed(body, lambda shown: _result(str(shown["id"]), str(shown["name"]), shown["result"]))


def parse_change(body: bytes) -> tuple[str, Status | None, int | None]:
    """The job's id, its status and the number of its attempt in an event, as far as it has them."""
    return parsed(body, _change)


def job_of(shown: Mapping[str, Any]) -> Job:
    """The job that a JSON object shows, within `parsed`."""
    error = shown["error"]
    return Job(
        id=str(shown["id"]),
        status=Status(shown["status"]),
        created_at=datetime.fromisoformat(shown["created_at"]),
        started_at=moment_of(shown["started_at"]),
        finished_at=moment_of(shown["finished_at"]),
        # A service of an earlier release does not tell.
        expires_at=moment_of(shown.get("expires_at")),
        attempts=int(shown["attempts"]),
        source=_source(shown["source"]),
        results={name: _result(shown["id"], name, made) for name, made in shown["results"].items()},
        error=None if error is None else failure_of(error),
        tags=tuple(shown.get("tags", ())),
        context=shown.get("context"),
        tenant=shown.get("tenant"),
        history=_history(shown.get("history")),
    )


def failure_of(shown: Mapping[str, Any]) -> Failure:
    """The failure that a JSON object shows, within `parsed`."""
    return Failure(shown["code"], shown["title"], shown["detail"], bool(shown.get("retryable", False)))


def _history(shown: Any) -> tuple[JobAttempt, ...] | None:
    return None if shown is None else tuple(map(_attempt, shown))


def _attempt(shown: Mapping[str, Any]) -> JobAttempt:
    return JobAttempt(
        attempt=int(shown["attempt"]),
        worker=_text(shown["worker"]),
        started_at=datetime.fromisoformat(shown["started_at"]),
        seconds=None if shown["seconds"] is None else float(shown["seconds"]),
        status=None if shown["status"] is None else Status(shown["status"]),
        error=_text(shown["error"]),
    )


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


def moment_of(text: str | None) -> datetime | None:
    """The moment in a text, within `parsed`."""
    return None if text is None else datetime.fromisoformat(text)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _page(shown: Any) -> Page:
    total = shown.get("total")
    return Page(tuple(map(job_of, shown["jobs"])), _text(shown["next"]), None if total is None else int(total))


def _presets(shown: Any) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
    return {str(name): tuple(dict(output) for output in outputs) for name, outputs in shown["presets"].items()}


def _change(shown: Any) -> tuple[str, Status | None, int | None]:
    status, attempt = shown.get("status"), shown.get("attempt")
    return str(shown["id"]), None if status is None else Status(status), None if attempt is None else int(attempt)
