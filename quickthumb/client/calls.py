"""Every call of the client as a plan: which requests it takes, and what their answers mean."""

import math
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit

from quickthumb.client.answers import (
    Job,
    Page,
    Result,
    parse_bulk,
    parse_job,
    parse_object,
    parse_page,
    parse_presets,
)
from quickthumb.client.downloads import PartFile
from quickthumb.client.errors import StillRunning, UnexpectedAnswer
from quickthumb.client.exchange import Do, Pause, Plan, Request, Retries, answered, require_success, send
from quickthumb.client.pictures import ImageInput, Order, fields_of, picture_of, values_of

# How long one request waits for the end of a job: less than the 30 or 60 s after which proxies give up.
HOLD_SECONDS = 20
LONGEST_POLL_PAUSE_SECONDS = 30.0
DEFAULT_POLL_PAUSE_SECONDS = 1.0
# How long one request about many jobs takes at most, or little longer.
BULK_SECONDS = 10.0

T = TypeVar("T")
JobOrId = Job | str


class Calls:
    """The plans of all calls, for a client that is as patient as `retries` says."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries

    def upload(
        self,
        image: ImageInput,
        order: Order,
        parameters: Mapping[str, Any],
        filename: str | None,
        idempotency_key: str | None,
    ) -> Plan[Job]:
        key = idempotency_key or secrets.token_hex(16)  # the same in every try, so that they make one job
        request = Request(
            "POST",
            "/images/",
            headers={"Idempotency-Key": key},
            fields=fields_of(order, parameters),
            pictures=(picture_of(image, filename),),
        )
        return parse_job((yield from answered(request, self._retries)).body)

    def find(self, job: JobOrId) -> Plan[Job]:
        return parse_job((yield from answered(Request("GET", path_of(job)), self._retries)).body)

    def wait(self, job: JobOrId, timeout_seconds: float | None) -> Plan[Job]:
        def is_over(found: Job) -> bool:
            return found.status.ended

        found = yield from until(path_of(job), parse_job, is_over, self._retries, timeout_seconds)
        if not is_over(found):
            raise StillRunning(f"The job {found.id} was still {found.status} after {timeout_seconds:g} s.")
        return found

    def download(self, result: Result, place: Path) -> Plan[Path]:
        part = PartFile(place, result.bytes)
        path = f"{path_of(result.job_id)}/results/{quote(result.name, safe='')}"

        def request() -> Request:
            # A proxy that compressed the file would change its length and its ranges.
            return Request("GET", path, headers={"Accept-Encoding": "identity", **part.headers()}, sink=part)

        try:
            yield from answered(request, self._retries)
            yield Do(part.finish)
        finally:
            part.discard()
        return place

    def page(self, query: tuple[tuple[str, str], ...]) -> Plan[Page]:
        return parse_page((yield from answered(Request("GET", "/jobs", query=query), self._retries)).body)

    def count_jobs(self, status: str | None, tag: str | None) -> Plan[int]:
        page = yield from self.page(first_page(status, tag, 1))
        if page.total is None:
            raise UnexpectedAnswer("The service is of an earlier release, which does not tell how many jobs there are.")
        return page.total

    def presets(self) -> Plan[Mapping[str, tuple[Mapping[str, Any], ...]]]:
        return parse_presets((yield from answered(Request("GET", "/presets"), self._retries)).body)

    def derive(
        self, job: JobOrId, order: Order, parameters: Mapping[str, Any], idempotency_key: str | None
    ) -> Plan[Job]:
        key = idempotency_key or secrets.token_hex(16)
        request = Request(
            "POST",
            f"{path_of(job)}/outputs",
            headers={"Idempotency-Key": key},
            content=values_of(order, parameters),
        )
        return parse_job((yield from answered(request, self._retries)).body)

    def reschedule(self, job: JobOrId, changes: Mapping[str, Any]) -> Plan[Job]:
        request = Request("PATCH", path_of(job), content={key: _written(value) for key, value in changes.items()})
        return parse_job((yield from answered(request, self._retries)).body)

    def change_many(self, method: str, path: str, conditions: Mapping[str, Any]) -> Plan[int]:
        query = [(name, str(_written(value))) for name, value in conditions.items() if value is not None]
        count, going_on = 0, list[tuple[str, str]]()
        while True:
            request = Request(method, path, query=(*query, *going_on), hold_seconds=BULK_SECONDS)
            done, cursor = parse_bulk((yield from answered(request, self._retries)).body)
            count += done
            if cursor is None:
                return count
            going_on = [("cursor", cursor)]

    def stats(self) -> Plan[Mapping[str, Any]]:
        return parse_object((yield from answered(Request("GET", "/stats"), self._retries)).body)

    def cancel(self, job: JobOrId) -> Plan[Job]:
        return parse_job((yield from answered(Request("POST", f"{path_of(job)}/cancel"), self._retries)).body)

    def retry(self, job: JobOrId) -> Plan[Job]:
        request = Request("POST", f"{path_of(job)}/retry")
        answer, broke = yield from send(lambda: request, self._retries)
        if broke and answer.status == HTTPStatus.CONFLICT:
            return (yield from self.find(job))  # the try that broke off has done it
        return parse_job(require_success(answer).body)

    def delete(self, job: JobOrId) -> Plan[None]:
        request = Request("DELETE", path_of(job))
        answer, broke = yield from send(lambda: request, self._retries)
        if not (broke and answer.status == HTTPStatus.NOT_FOUND):  # else the try that broke off has done it
            require_success(answer)


def until(
    path: str,
    parse: Callable[[bytes], T],
    is_over: Callable[[T], bool],
    retries: Retries,
    timeout_seconds: float | None,
) -> Plan[T]:
    """What is at this path once it is over, or else when the time is up.

    Polls with requests that the service holds until then. Two polls begin at least as far apart as `Retry-After` says,
    for a service that does not hold them that long.
    """
    deadline = math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        began = time.monotonic()
        hold = math.ceil(min(HOLD_SECONDS, max(0.0, deadline - began)))
        request = Request("GET", path, query=(("wait", str(hold)),), hold_seconds=hold)
        answer = yield from answered(request, retries)
        found = parse(answer.body)
        now = time.monotonic()
        if is_over(found) or now >= deadline:
            return found
        pause = min(answer.retry_after_seconds or DEFAULT_POLL_PAUSE_SECONDS, LONGEST_POLL_PAUSE_SECONDS)
        yield Pause(max(0.0, min(began + pause, deadline) - now))


def first_page(status: str | None, tag: str | None, page_size: int) -> tuple[tuple[str, str], ...]:
    """The query of the first page of jobs."""
    conditions = (("status", status), ("tag", tag))
    return (*((name, text) for name, text in conditions if text is not None), ("limit", str(page_size)))


def following(page: Page) -> tuple[tuple[str, str], ...] | None:
    """The query of the page after this one, None if it is the last one.

    Only the query of its URL counts: behind a proxy, the service may know itself under another host and path.
    """
    return None if page.next is None else tuple(parse_qsl(urlsplit(page.next).query))


def id_of(job: JobOrId) -> str:
    """The id of a job that may be given by its id."""
    return job if isinstance(job, str) else job.id


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def path_of(job: JobOrId) -> str:
    """The path of a job."""
    return f"/jobs/{quote(id_of(job), safe='')}"
