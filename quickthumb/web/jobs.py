"""`/jobs`: lists, shows, cancels, retries and removes jobs."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import json_answer
from quickthumb.http.requests import SIGNED, caller_of, max_wait_seconds, policy_of, service_of, signer_of
from quickthumb.http.signing import LONGEST_SECONDS, moment_in
from quickthumb.http.urls import Urls, urls_of
from quickthumb.model.caller import Scope
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.job import Status, is_id
from quickthumb.model.order import TAG_MEANING, is_tag
from quickthumb.service.bulk import LARGEST_BULK, Selection, Verb, for_each
from quickthumb.service.errors import InsufficientScope
from quickthumb.web.presentation import BulkView, present
from quickthumb.web.waiting import waited

DEFAULT_PAGE = 20
LARGEST_PAGE = 100
DEFAULT_BULK = 100
# How long the URLs in the answer to an upload with a policy are good for at least.
POLICY_LINKS_SECONDS = 3600
BULK_PARAMETERS = ("status", "before", "tag", "limit", "cursor")
_PREFERRED_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d+)\"?\s*(?:$|[,;])", re.IGNORECASE)


async def show(request: Request) -> Response:
    """Returns the job at once or, with `?wait=` or `Prefer: wait=`, when it has ended or the time is up.

    If too many requests wait already, it returns the job at once.
    """
    job_id = request.path_params["job_id"]
    seconds, preferred = wait_asked(request)
    if seconds:
        job, held = await waited(request, job_id, seconds)
    else:
        job, held = await service_of(request).find(caller_of(request), job_id), True
    headers = {"Cache-Control": "no-store"}
    if not job.status.ended:
        headers["Retry-After"] = "1"
    if preferred and held:
        headers["Preference-Applied"] = f"wait={seconds:g}"
    return json_answer(present(job, urls_asked(request)), headers=headers)


def urls_asked(request: Request) -> Urls:
    """The URLs for this client: with `?sign=`, those of files are signed for so many seconds.

    A client that has a policy or a signed URL has no key, so for it, those of jobs are signed too: until its own
    expires, and after an upload for POLICY_LINKS_SECONDS at least.
    """
    urls, policy = urls_of(request), policy_of(request)
    if policy is not None:
        return _signed(request, urls, max(policy.terms.expires, moment_in(POLICY_LINKS_SECONDS)))
    if SIGNED in request.scope:
        return _signed(request, urls, request.scope[SIGNED])
    asked = request.query_params.get("sign") if request.scope["query_string"] else None
    if asked is None:
        return urls
    signer, scopes = signer_of(request), caller_of(request).scopes
    if not signer.can_sign:
        raise InvalidParameter("This service has no secret to sign with (URL_SECRETS).", field="sign")
    if not {Scope.RESULTS_READ, Scope.ADMIN} & scopes:
        raise InsufficientScope(Scope.RESULTS_READ)
    seconds = whole_number(asked, "sign", 1, LONGEST_SECONDS)
    return replace(urls, of_file=lambda path: signer.signed(path, seconds))


def _signed(request: Request, urls: Urls, expires: int) -> Urls:
    def signed(path: str) -> str:
        return signer_of(request).signed_until(path, expires)

    return replace(urls, of_file=signed, of_job=signed)


def wait_asked(request: Request) -> tuple[float, bool]:
    """How many seconds to hold the response, and whether the `Prefer` header asked for that."""
    asked = request.query_params.get("wait") if request.scope["query_string"] else None
    if asked is not None:
        return min(whole_number(asked, "wait", 0, None), max_wait_seconds(request)), False
    preferences = [value.decode("latin-1") for name, value in request.scope["headers"] if name == b"prefer"]
    preference = _PREFERRED_WAIT.search(",".join(preferences))
    if preference is None:
        return 0.0, False
    return min(float(preference[1]), max_wait_seconds(request)), True


async def list_all(request: Request) -> Response:
    """Returns a page of jobs, newest first, and how many there are in all."""
    query = request.query_params
    limit = whole_number(query.get("limit", str(DEFAULT_PAGE)), "limit", 1, LARGEST_PAGE)
    status = status_in(query.get("status"))
    tag = _tag(query.getlist("tag"))
    cursor = _cursor(query.get("cursor"))
    urls = urls_asked(request)
    page = await service_of(request).page(caller_of(request), status=status, tag=tag, limit=limit, cursor=cursor)
    view = {
        "jobs": [present(job, urls) for job in page.jobs],
        "total": page.total,
        "next": urls.next_page(request.url, page.cursor) if page.cursor else None,
        "cursor": page.cursor,
    }
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


async def retry_many(request: Request) -> Response:
    """Queues FAILED jobs again, newest first. One call retries at most `limit` jobs, and takes about 10 seconds at
    most; repeat it with the `cursor` of its response until that is null."""
    return await _for_each(request, service_of(request).retry, statuses=(Status.FAILED,))


async def cancel_many(request: Request) -> Response:
    """Cancels jobs that have not ended, newest first. One call cancels at most `limit` jobs, and takes about 10 seconds
    at most; repeat it with the `cursor` of its response until that is null."""
    return await _for_each(request, service_of(request).cancel, statuses=(Status.WAITING, Status.IN_PROGRESS))


async def remove_many(request: Request) -> Response:
    """Removes the jobs with a status, with a tag, or accepted before a moment, newest first, with their records and
    files; if several are given, all must hold. Jobs that have not ended are cancelled. One call removes at most `limit`
    jobs, and takes about 10 seconds at most; repeat it with the `cursor` of its response until that is null."""
    return await _for_each(request, service_of(request).remove)


async def _for_each(request: Request, verb: Verb, statuses: Sequence[Status] | None = None) -> Response:
    """Calls the verb for the jobs that the query selects; their status must be one of `statuses`, if given."""
    query = request.query_params
    _check_names(query)
    selection = Selection(status_in(query.get("status")), _moment(query.get("before")), _tag(query.getlist("tag")))
    if statuses is not None and selection.status not in statuses:
        raise InvalidParameter(f"status must be given, as {' or '.join(statuses)}.", field="status")
    if selection == Selection():
        raise InvalidParameter("status, before or tag must be given, to say which jobs.", field="status")
    limit = whole_number(query.get("limit", str(DEFAULT_BULK)), "limit", 1, LARGEST_BULK)
    cursor = _cursor(query.get("cursor"))
    report = await for_each(service_of(request), verb, caller_of(request), selection, limit=limit, cursor=cursor)
    view = BulkView(count=report.count, skipped=dict(report.skipped), cursor=report.cursor)
    return json_answer(view, headers={"Cache-Control": "no-store"})


def _check_names(query: QueryParams) -> None:
    """Refuses what was misspelled or given twice: a filter that is overlooked would select too many jobs."""
    for name, _ in query.multi_items():
        if name not in BULK_PARAMETERS:
            nearest = difflib.get_close_matches(name, BULK_PARAMETERS, n=1)
            suggestion = f"; perhaps {nearest[0]} is meant" if nearest else ""
            raise InvalidParameter(f"There is no such parameter{suggestion}.", field=name)
        if len(query.getlist(name)) > 1:
            raise InvalidParameter(f"{name} was given more than once.", field=name)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidParameter("before must be a time in UTC, such as 2026-01-31T12:00:00Z.", field="before")
    return moment


def whole_number(text: str, field: str, lowest: int, highest: int | None) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 9:
        number = int(text)
        if lowest <= number and (highest is None or number <= highest):
            return number
    bounds = f"from {lowest} to {highest}" if highest is not None else f"of at least {lowest}"
    raise InvalidParameter(f"{field} must be a whole number {bounds}.", field=field)


def status_in(text: str | None) -> Status | None:
    if text is None:
        return None
    try:
        return Status(text.upper())
    except ValueError:
        names = ", ".join(Status)
        raise InvalidParameter(f"status must be one of {names}.", field="status") from None


def _tag(given: Sequence[str]) -> str | None:
    """The one tag that was asked for: a second one would be overlooked."""
    if not given:
        return None
    if len(given) > 1:
        raise InvalidParameter("tag was given more than once.", field="tag")
    if not is_tag(given[0]):
        raise InvalidParameter(f"tag must have {TAG_MEANING}.", field="tag")
    return given[0]


def _cursor(text: str | None) -> str | None:
    if text is None:
        return None
    moment, colon, job_id = text.partition(":")
    if not (colon and moment.isascii() and moment.isdigit() and is_id(job_id)):
        raise InvalidParameter("cursor is not valid; use the `cursor` of an earlier page.", field="cursor")
    return text
