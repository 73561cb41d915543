"""Every call of the client as a plan: which requests it takes, and what their answers mean."""

import math
import secrets
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from quickthumb.client.answers import Job, Page, Result, parse_job, parse_page, parse_presets
from quickthumb.client.downloads import PartFile
from quickthumb.client.errors import StillRunning, UnexpectedAnswer
from quickthumb.client.exchange import Answer, Do, Pause, Plan, Request, Retries, require_success, send
from quickthumb.client.pictures import ImageInput, Order, fields_of, picture_of

# How long one request waits for the end of a job: less than the 30 or 60 s after which proxies give up.
HOLD_SECONDS = 20
LONGEST_POLL_PAUSE_SECONDS = 30.0
DEFAULT_POLL_PAUSE_SECONDS = 1.0

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
            picture=picture_of(image, filename),
        )
        return parse_job((yield from self._answer(request)).body)

    def find(self, job: JobOrId) -> Plan[Job]:
        return parse_job((yield from self._answer(Request("GET", _path(job)))).body)

    def wait(self, job: JobOrId, timeout_seconds: float | None) -> Plan[Job]:
        """Polls with requests that the service holds until the job ends.

        Two polls begin at least as far apart as `Retry-After` says, for a service that does not hold them that long.
        """
        deadline = math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            began = time.monotonic()
            hold = math.ceil(min(HOLD_SECONDS, max(0.0, deadline - began)))
            request = Request("GET", _path(job), query=(("wait", str(hold)),), hold_seconds=hold)
            answer = yield from self._answer(request)
            found = parse_job(answer.body)
            if found.status.ended:
                return found
            now = time.monotonic()
            if now >= deadline:
                raise StillRunning(f"The job {found.id} was still {found.status} after {timeout_seconds:g} s.")
            pause = min(answer.retry_after_seconds or DEFAULT_POLL_PAUSE_SECONDS, LONGEST_POLL_PAUSE_SECONDS)
            yield Pause(max(0.0, min(began + pause, deadline) - now))

    def download(self, result: Result, place: Path) -> Plan[Path]:
        part = PartFile(place, result.bytes)
        path = f"{_path(result.job_id)}/results/{quote(result.name, safe='')}"

        def request() -> Request:
            # A proxy that compressed the file would change its length and its ranges.
            return Request("GET", path, headers={"Accept-Encoding": "identity", **part.headers()}, sink=part)

        try:
            yield from self._answer(request)
            yield Do(part.finish)
        finally:
            part.discard()
        return place

    def page(self, query: tuple[tuple[str, str], ...]) -> Plan[Page]:
        return parse_page((yield from self._answer(Request("GET", "/jobs", query=query))).body)

    def count_jobs(self, status: str | None, tag: str | None) -> Plan[int]:
        page = yield from self.page(first_page(status, tag, 1))
        if page.total is None:
            raise UnexpectedAnswer("The service is of an earlier release, which does not tell how many jobs there are.")
        return page.total

    def presets(self) -> Plan[Mapping[str, tuple[Mapping[str, Any], ...]]]:
        return parse_presets((yield from self._answer(Request("GET", "/presets"))).body)

    def cancel(self, job: JobOrId) -> Plan[Job]:
        return parse_job((yield from self._answer(Request("POST", f"{_path(job)}/cancel"))).body)

    def retry(self, job: JobOrId) -> Plan[Job]:
        request = Request("POST", f"{_path(job)}/retry")
        answer, broke = yield from send(lambda: request, self._retries)
        if broke and answer.status == HTTPStatus.CONFLICT:
            return (yield from self.find(job))  # the try that broke off has done it
        return parse_job(require_success(answer).body)

    def delete(self, job: JobOrId) -> Plan[None]:
        request = Request("DELETE", _path(job))
        answer, broke = yield from send(lambda: request, self._retries)
        if not (broke and answer.status == HTTPStatus.NOT_FOUND):  # else the try that broke off has done it
            require_success(answer)

    def _answer(self, request: Request | Callable[[], Request]) -> Plan[Answer]:
        """The answer to a request, which a later try may have to make anew. Raises Problem if it is an error."""
        make = request if callable(request) else lambda: request
        answer, _ = yield from send(make, self._retries)
        return require_success(answer)


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


def _path(job: JobOrId) -> str:
    return f"/jobs/{quote(id_of(job), safe='')}"
