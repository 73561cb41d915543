"""Following a job: the lines of a stream of server-sent events, and how to go on after a break.

Nothing in here waits, reads or writes. `Client` and `AsyncClient` are two loops over the same `Following`.
"""

from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from quickthumb.client.answers import Job, Result, Status, parse_change, parse_job, parse_result
from quickthumb.client.errors import Unreachable
from quickthumb.client.exchange import Answer, Broken, Retries, may_pass, require_success, unreachable

LAST_EVENTS = frozenset({"job.done", "job.failed", "job.cancelled", "job.removed"})
WITH_JOB = frozenset({"snapshot", *LAST_EVENTS}) - {"job.removed"}
RESULT, RESET = "result.ready", "reset"
DEFAULT_RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class JobEvent:
    """What happened to a job. `name` is `snapshot` for how it is at first, `job.` and its new status, `job.removed`, or
    `result.ready`.

    There is a `job` at first and at the end, and a `result` if one is ready; it can be downloaded once the job is DONE.
    """

    name: str
    job_id: str
    status: Status | None = None
    attempt: int | None = None
    job: Job | None = None
    result: Result | None = None


class Following:
    """One call that follows a job, over as many connections as it takes."""

    def __init__(self, job_id: str, retries: Retries) -> None:
        self.path = f"/jobs/{quote(job_id, safe='')}/events"
        self.is_over = False
        self._retries = retries
        self._failures = 0
        self._asked_seconds: float | None = None
        self._retry_seconds = DEFAULT_RETRY_SECONDS
        self._last_id = ""
        self._name, self._data = "", ""

    def headers(self) -> dict[str, str]:
        """The headers of the next request."""
        place = {"Last-Event-ID": self._last_id} if self._last_id else {}
        return {"Accept": "text/event-stream", **place}

    def answered(self, answer: Answer) -> None:
        """Takes the head of an answer; with its body if it is an error. Raises Problem if trying again cannot help."""
        if answer.status == HTTPStatus.NO_CONTENT:
            self.is_over = True
        elif answer.is_success or not may_pass(answer):
            require_success(answer)
            self._failures, self._asked_seconds = 0, None
        else:
            self._failed(answer.retry_after_seconds)
            if self._pause() is None:
                require_success(answer)
        self._name, self._data = "", ""

    def broke(self, broken: Broken) -> None:
        """The connection broke, or there was none. Raises Unreachable if that has happened too often."""
        self._failed(None)
        if broken.final or self._pause() is None:
            raise Unreachable(unreachable(broken.error)) from broken.error

    def pause_seconds(self) -> float:
        """How long to wait before the next request."""
        pause = self._pause() if self._failures else None
        return self._retry_seconds if pause is None else pause

    def read(self, line: str) -> JobEvent | None:
        """Takes a line. Returns the event that it completes, if it does. Raises UnexpectedAnswer."""
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            return self._complete()
        if field == "event":
            self._name = value
        elif field == "data":
            self._data = value
        elif field == "id":
            self._last_id = value
        elif field == "retry" and value.isdigit():
            self._retry_seconds = int(value) / 1000
        return None

    def _complete(self) -> JobEvent | None:
        name, data = self._name, self._data.encode()
        self._name, self._data = "", ""
        if not data or name == RESET:  # a snapshot follows
            return None
        self.is_over = name in LAST_EVENTS
        if name in WITH_JOB:
            job = parse_job(data)
            return JobEvent(name, job.id, job.status, job.attempts, job)
        if name == RESULT:
            result = parse_result(data)
            return JobEvent(name, result.job_id, result=result)
        return JobEvent(name, *parse_change(data))

    def _failed(self, asked_seconds: float | None) -> None:
        self._failures += 1
        self._asked_seconds = asked_seconds

    def _pause(self) -> float | None:
        return self._retries.pause_after(self._failures, self._asked_seconds)
