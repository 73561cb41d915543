"""`/jobs`: lists, shows, cancels, retries and removes jobs."""

import re
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import json_answer
from quickthumb.http.requests import caller_of, max_wait_seconds, service_of
from quickthumb.http.urls import urls_of
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.job import Status, is_id
from quickthumb.web.presentation import JobPageView, present

DEFAULT_PAGE = 20
LARGEST_PAGE = 100
_PREFERRED_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d+)\"?\s*(?:$|[,;])", re.IGNORECASE)


async def show(request: Request) -> Response:
    """Returns the job at once or, with `?wait=` or `Prefer: wait=`, when it has ended or the time is up."""
    job_id = request.path_params["job_id"]
    wanted, preferred = wait_asked(request)
    service, caller = service_of(request), caller_of(request)
    job = await service.wait(caller, job_id, wanted) if wanted else await service.find(caller, job_id)
    headers = {"Cache-Control": "no-store"}
    if not job.status.ended:
        headers["Retry-After"] = "1"
    if preferred:
        headers["Preference-Applied"] = f"wait={wanted:g}"
    return json_answer(present(job, urls_of(request)), headers=headers)


def wait_asked(request: Request) -> tuple[float, bool]:
    """How many seconds to hold the response, and whether the `Prefer` header asked for that."""
    asked = request.query_params.get("wait")
    if asked is not None:
        return min(_whole(asked, "wait", 0, None), max_wait_seconds(request)), False
    preference = _PREFERRED_WAIT.search(",".join(request.headers.getlist("prefer")))
    if preference is None:
        return 0.0, False
    return min(float(preference[1]), max_wait_seconds(request)), True


async def list_all(request: Request) -> Response:
    """Returns a page of jobs, newest first."""
    query = request.query_params
    limit = _whole(query.get("limit", str(DEFAULT_PAGE)), "limit", 1, LARGEST_PAGE)
    status = _status(query.get("status"))
    cursor = _cursor(query.get("cursor"))
    page = await service_of(request).page(caller_of(request), status=status, limit=limit, cursor=cursor)
    urls = urls_of(request)
    following = urls.next_page(request.url, page.cursor) if page.cursor else None
    view = JobPageView(jobs=[present(job, urls) for job in page.jobs], next=following, cursor=page.cursor)
    return json_answer(view, headers={"Cache-Control": "no-store"})


async def cancel(request: Request) -> Response:
    """Cancels a job that has not ended; its results will never appear. Cancelling it again changes nothing."""
    job = await service_of(request).cancel(caller_of(request), request.path_params["job_id"])
    return json_answer(present(job, urls_of(request)), HTTPStatus.ACCEPTED, {"Cache-Control": "no-store"})


async def retry(request: Request) -> Response:
    """Queues a FAILED job again. A worker renders it from its source."""
    job = await service_of(request).retry(caller_of(request), request.path_params["job_id"])
    return json_answer(present(job, urls_of(request)), HTTPStatus.ACCEPTED, {"Cache-Control": "no-store"})


async def remove(request: Request) -> Response:
    """Removes the job, its record and its files. A job that has not ended is cancelled."""
    await service_of(request).remove(caller_of(request), request.path_params["job_id"])
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _whole(text: str, field: str, lowest: int, highest: int | None) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 9:
        number = int(text)
        if lowest <= number and (highest is None or number <= highest):
            return number
    bounds = f"from {lowest} to {highest}" if highest is not None else f"of at least {lowest}"
    raise InvalidParameter(f"{field} must be a whole number {bounds}.", field=field)


def _status(text: str | None) -> Status | None:
    if text is None:
        return None
    try:
        return Status(text.upper())
    except ValueError:
        names = ", ".join(Status)
        raise InvalidParameter(f"status must be one of {names}.", field="status") from None


def _cursor(text: str | None) -> str | None:
    if text is None:
        return None
    moment, colon, job_id = text.partition(":")
    if not (colon and moment.isascii() and moment.isdigit() and is_id(job_id)):
        raise InvalidParameter("cursor is not valid; use the `cursor` of an earlier page.", field="cursor")
    return text
