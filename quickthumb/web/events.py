"""`/jobs/{id}/events`, `/batches/{id}/events` and `/events`: what happens to jobs and batches, as server-sent events
(WHATWG HTML, section 9.2)."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from functools import partial
from http import HTTPStatus
from typing import Any, cast

import anyio
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from quickthumb.http.requests import caller_of, events_of, is_let_in, limiter_of
from quickthumb.http.urls import Urls
from quickthumb.model.batch import BatchEnd
from quickthumb.model.errors import InvalidParameter
from quickthumb.queue.events import Cursor, Event, text_of
from quickthumb.service.events import END
from quickthumb.service.told import (
    Alive,
    BatchEnded,
    Changed,
    Ended,
    Goodbye,
    Opened,
    Reached,
    Ready,
    Reset,
    Snapshot,
    Told,
)
from quickthumb.web.jobs import urls_asked
from quickthumb.web.presentation import present, present_result, zulu
from quickthumb.web.waiting import cancel_when_gone

MEDIA_TYPE = "text/event-stream"
MOST_JOBS = 100
JOB, BATCH, LAST_EVENT_ID = "job", "batch", "last_event_id"
# How soon a client connects again after a connection breaks.
RETRY_MS = 2_000
# At a shutdown, all listeners of a process come back to others: not all at once.
SHUTDOWN_RETRY_MS = (200, 3_000)
MOST_TEXTS = 256
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

_OBJECT = TypeAdapter(dict[str, Any])


async def of_job(request: Request) -> Response:
    """Tells what happens to a job, as server-sent events, until it has ended.

    It begins with the job as it is (`snapshot`), or with what came after `Last-Event-ID`. 204 says that there is
    nothing more to come.
    """
    return _stream(request, [request.path_params["job_id"]])


async def of_batch(request: Request) -> Response:
    """Tells what happens to the jobs of a batch, as server-sent events, and at last that the batch has ended
    (`batch.done`). It begins and ends as for a job."""
    return _stream(request, batch_id=request.path_params["batch_id"])


async def of_many(request: Request) -> Response:
    """Tells what happens to jobs, as server-sent events, until all have ended. With `batch`, these are the jobs of a
    batch, whose end is told, too; without `job` and `batch`, all jobs that there are and will be.

    It begins with the named jobs as they are (`snapshot`), or with what came after `Last-Event-ID`. 204 says that there
    is nothing more to come.
    """
    job_ids = list(dict.fromkeys(request.query_params.getlist(JOB)))
    batch_ids = list(dict.fromkeys(request.query_params.getlist(BATCH)))
    if len(batch_ids) > 1 or (job_ids and batch_ids):
        raise InvalidParameter("One stream follows one batch, or jobs.", field=BATCH)
    if batch_ids:
        return _stream(request, batch_id=batch_ids[0])
    if len(job_ids) > MOST_JOBS:
        raise InvalidParameter(f"One stream follows at most {MOST_JOBS} jobs.", field=JOB)
    return _stream(request, job_ids or None)


def _stream(request: Request, job_ids: list[str] | None = None, *, batch_id: str | None = None) -> Response:
    # A browser that connects again sends the header, and the query as it was at first.
    after = request.headers.get("last-event-id") or request.query_params.get(LAST_EVENT_ID) or None
    urls = urls_asked(request)
    events, caller = events_of(request), caller_of(request)
    told = events.follow(caller, job_ids, after) if batch_id is None else events.follow_batch(caller, batch_id, after)
    seat = limiter_of(request).stream(caller_of(request))
    return EventStream(cast("AsyncGenerator[Sequence[Told], None]", told), urls, seat, partial(is_let_in, request))


class EventStream(Response):
    """The response that sends what is told, until that ends, the client hangs up, or nobody may listen any more, which
    `may_listen` says. `seat` is held meanwhile."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        told: AsyncGenerator[Sequence[Told], None],
        urls: Urls,
        seat: AbstractAsyncContextManager[None],
        may_listen: Callable[[], bool],
    ) -> None:
        self.status_code = HTTPStatus.OK
        self.background = None
        self.init_headers(HEADERS)
        self._told = told
        self._urls = urls
        self._seat = seat
        self._may_listen = may_listen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A cancel scope cancels repeatedly: redis-py sends with `wait_for`, which may swallow it once in Python 3.11.
        with anyio.CancelScope() as gone:
            watcher = asyncio.create_task(cancel_when_gone(receive, gone), name="client watch")
            try:
                async with self._seat, aclosing(self._told) as told:
                    await self._send(told, scope, receive, send)
            finally:
                watcher.cancel()

    async def _send(
        self, told: AsyncGenerator[Sequence[Told], None], scope: Scope, receive: Receive, send: Send
    ) -> None:
        first = await anext(told, None)
        if first is None:
            await Response(status_code=HTTPStatus.NO_CONTENT, headers=HEADERS)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            await send(self._body(first))
            async for news in told:
                if not self._may_listen():
                    break
                await send(self._body(news))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _body(self, news: Sequence[Told]) -> dict[str, Any]:
        text = b"".join(_texts.of(told, self._urls) for told in news)
        return {"type": "http.response.body", "body": text, "more_body": True}


class _Texts:
    """The texts of the last events. Many listeners are told of the same ones, and writing one takes much longer than
    looking it up."""

    def __init__(self) -> None:
        self._written: dict[tuple[Cursor, str, str, str], bytes] = {}

    def of(self, told: Told, urls: Urls) -> bytes:
        match told:
            case Changed(event):
                key = (event.cursor, event.job_id, _name(event), urls.base)
            case Ended(cursor, job) if cursor is not None and not urls.are_signed:
                key = (cursor, job.id, job.status, urls.base)
            case _:
                return written(told, urls)
        text = self._written.get(key)
        if text is None:
            if len(self._written) >= MOST_TEXTS:
                self._written.clear()
            text = self._written[key] = written(told, urls)
        return text


_texts = _Texts()


def written(told: Told, urls: Urls) -> bytes:
    """What is told, in the format of server-sent events."""
    match told:
        case Opened() | Reached() | Alive() | Goodbye():
            return _between_events(told)
        case Reset():
            return _event("reset", {})
        case Snapshot(job):
            return _event("snapshot", present(job, urls))
        case Changed(event):
            return _event(_name(event), _thin(event), event.cursor)
        case Ready(cursor, job_id, result):
            shown = {"id": job_id, "name": result.name, "result": present_result(job_id, result, urls)}
            return _event("result.ready", shown, cursor)
        case Ended(cursor, job):
            return _event(f"job.{job.status.lower()}", present(job, urls), cursor)
        case BatchEnded(cursor, batch_id, end):
            return _event("batch.done", _of_batch(batch_id, end, urls), cursor or END)


def _between_events(told: Opened | Reached | Alive | Goodbye) -> bytes:
    """What clients obey without telling their programs."""
    match told:
        case Opened():
            return b"retry: %d\n\n" % RETRY_MS
        case Reached(cursor):
            return b"id: %b\n\n" % text_of(cursor).encode()
        case Alive():
            return b":\n\n"
        case Goodbye():
            return b"retry: %d\n\n" % random.randint(*SHUTDOWN_RETRY_MS)  # noqa: S311 - it spreads load


def _name(event: Event) -> str:
    return "job.removed" if event.status is None else f"job.{event.status.lower()}"


def _thin(event: Event) -> dict[str, Any]:
    status = {} if event.status is None else {"status": event.status.value}
    attempt = {} if event.attempt is None else {"attempt": event.attempt}
    return {"id": event.job_id, **status, **attempt}


def _of_batch(batch_id: str, end: BatchEnd, urls: Urls) -> dict[str, Any]:
    links = {"self": urls.batch(batch_id), "results": urls.batch_results(batch_id)}
    return {"id": batch_id, "finished_at": zulu(end.finished_at), "counts": end.counts, "links": links}


def _event(name: str, data: dict[str, Any], cursor: Cursor | str | None = None) -> bytes:
    """One event. Its JSON has no line breaks."""
    text = text_of(cursor) if isinstance(cursor, tuple) else cursor
    place = b"" if text is None else b"id: %b\n" % text.encode()
    return b"event: %b\n%bdata: %b\n\n" % (name.encode(), place, _OBJECT.dump_json(data))
