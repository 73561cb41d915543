"""`/jobs`: lists, shows, cancels, retries and removes jobs."""

import re
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import json_answer
from quickthumb.http.requests import SIGNED, caller_of, max_wait_seconds, policy_of, service_of, signer_of
from quickthumb.http.signing import LONGEST_SECONDS, moment_in
from quickthumb.http.urls import Urls, urls_of
from quickthumb.model.caller import EVERY_TENANT, Scope
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.job import Job, Status
from quickthumb.model.selection import ANY
from quickthumb.service.bulk import LARGEST_BULK, BulkReport, Verb, for_each, for_named, look_closely, look_only
from quickthumb.service.errors import InsufficientScope
from quickthumb.web.presentation import BulkView, present, present_one, zulu
from quickthumb.web.selection import FILTERS, JOB, check_names, cursor_in, is_dry_run, named_in, selection_in, whole
from quickthumb.web.waiting import waited

DEFAULT_PAGE = 20
LARGEST_PAGE = 100
DEFAULT_BULK = 100
# How long the URLs in the answer to an upload with a policy are good for at least.
POLICY_LINKS_SECONDS = 3600
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
    return json_answer(present_one(job, urls_asked(request), caller_of(request)), headers=headers)


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
    seconds = whole(asked, "sign", 1, LONGEST_SECONDS)
    return replace(urls, of_file=lambda path: signer.signed(path, seconds))


def _signed(request: Request, urls: Urls, expires: int) -> Urls:
    def signed(path: str) -> str:
        return signer_of(request).signed_until(path, expires)

    return replace(urls, of_file=signed, of_job=signed)


def wait_asked(request: Request) -> tuple[float, bool]:
    """How many seconds to hold the response, and whether the `Prefer` header asked for that."""
    asked = request.query_params.get("wait") if request.scope["query_string"] else None
    if asked is not None:
        return min(whole(asked, "wait", 0, None), max_wait_seconds(request)), False
    preferences = [value.decode("latin-1") for name, value in request.scope["headers"] if name == b"prefer"]
    preference = _PREFERRED_WAIT.search(",".join(preferences))
    if preference is None:
        return 0.0, False
    return min(float(preference[1]), max_wait_seconds(request)), True


async def list_all(request: Request) -> Response:
    """Returns a page of jobs, newest first, and how many there are in all.

    For `format`, `error`, `filename` and `context`, the service has no lists: it looks through up to 2000 jobs for one
    page. So a page may have fewer jobs than `limit`, or none, and still a next one, and the total is unknown.
    """
    query, caller = request.query_params, caller_of(request)
    limit = whole(query.get("limit", str(DEFAULT_PAGE)), "limit", 1, LARGEST_PAGE)
    selection, cursor, urls = selection_in(query), cursor_in(query), urls_asked(request)
    page = await service_of(request).page(caller, selection, limit=limit, cursor=cursor)
    of_all = caller.tenant == EVERY_TENANT
    view = {
        "jobs": [present(job, urls.of_tenant(job.tenant) if of_all else urls) for job in page.jobs],
        "total": page.total,
        "next": urls.next_page(request.url, page.cursor) if page.cursor else None,
        "cursor": page.cursor,
        "looked_back_to": zulu(page.looked_back_to) if page.looked_back_to else None,
    }
    return json_answer(view, headers={"Cache-Control": "no-store"})


async def cancel(request: Request) -> Response:
    """Cancels a job that has not ended; its results will never appear. Cancelling it again changes nothing."""
    job = await service_of(request).cancel(caller_of(request), request.path_params["job_id"])
    return _changed(request, job)


async def retry(request: Request) -> Response:
    """Queues a FAILED job again. A worker renders it from its source."""
    job = await service_of(request).retry(caller_of(request), request.path_params["job_id"])
    return _changed(request, job)


def _changed(request: Request, job: Job) -> Response:
    shown = present_one(job, urls_of(request), caller_of(request))
    return json_answer(shown, HTTPStatus.ACCEPTED, {"Cache-Control": "no-store"})


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
    return await _for_each(
        request,
        service_of(request).cancel,
        statuses=(Status.WAITING, Status.IN_PROGRESS),
        unchanged=(Status.CANCELLED,),
    )


async def remove_many(request: Request) -> Response:
    """Removes the jobs for which all filters hold, newest first, with their records and files. Jobs that have not ended
    are cancelled. One call removes at most `limit` jobs, and takes about 10 seconds at most; repeat it with the
    `cursor` of its response until that is null."""
    return await _for_each(request, service_of(request).remove)


async def _for_each(
    request: Request, verb: Verb, statuses: Sequence[Status] | None = None, unchanged: Sequence[Status] = ()
) -> Response:
    """Calls the verb for the jobs that the query selects; their status must be one of `statuses`, if given. The verb
    leaves jobs with an `unchanged` status as they are, without an error."""
    query = request.query_params
    check_names(query)
    is_dry = is_dry_run(query)
    if JOB in query:
        allowed = tuple(Status) if statuses is None else (*statuses, *unchanged)
        report = await _named(request, look_closely(service_of(request), allowed) if is_dry else verb)
    else:
        report = await _selected(request, look_only if is_dry else verb, statuses)
    view = BulkView(count=report.count, skipped=dict(report.skipped), cursor=report.cursor)
    return json_answer(view, headers={"Cache-Control": "no-store"})


async def _named(request: Request, verb: Verb) -> BulkReport:
    query = request.query_params
    for name in (*FILTERS, "limit", "cursor"):
        if name in query:
            raise InvalidParameter(f"{name} cannot be given together with job.", field=name)
    return await for_named(verb, caller_of(request), named_in(query))


async def _selected(request: Request, verb: Verb, statuses: Sequence[Status] | None) -> BulkReport:
    query = request.query_params
    selection = selection_in(query)
    if statuses is not None and selection.status not in statuses:
        raise InvalidParameter(f"status must be given, as {' or '.join(statuses)}.", field="status")
    if selection == ANY:
        raise InvalidParameter("A filter or job must be given, to say which jobs.", field="status")
    limit = whole(query.get("limit", str(DEFAULT_BULK)), "limit", 1, LARGEST_BULK)
    return await for_each(
        service_of(request), verb, caller_of(request), selection, limit=limit, cursor=cursor_in(query)
    )
