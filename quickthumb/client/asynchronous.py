"""The client for programs with asyncio or trio."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing, closing
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeVar

import anyio
import httpx
from anyio.to_thread import run_sync

from quickthumb.client import wire
from quickthumb.client.answers import Job, Page, Result, Status
from quickthumb.client.asynchronous_verbs import AsyncBatchVerbs, AsyncWebhookVerbs
from quickthumb.client.blocking import DEFAULT_TIMEOUT_SECONDS
from quickthumb.client.calls import Calls, JobOrId, first_page, following, id_of
from quickthumb.client.events import Following, JobEvent
from quickthumb.client.exchange import Answer, Broken, Do, Pause, Plan, Request, Retries
from quickthumb.client.pictures import ImageInput, Order
from quickthumb.client.pictures import opened as pictures_opened

T = TypeVar("T")


class AsyncClient:
    """`Client` with methods to await, for asyncio and trio. Tasks may share a client.

    The arguments and the errors are those of `Client`; `http` is an `httpx.AsyncClient`.
    """

    def __init__(
        self,
        server: str,
        *,
        key: str | None = None,
        retries: Retries | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        headers: Mapping[str, str] | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._server = wire.checked_url(server)
        self._retries = retries or Retries()
        self._calls = Calls(self._retries)
        self.batches = AsyncBatchVerbs(self._run, self._retries)
        self.webhooks = AsyncWebhookVerbs(self._run, self._retries)
        self._owned = http is None
        self._http = http or httpx.AsyncClient(**wire.settings(timeout_seconds, key, headers))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        if self._owned:
            await self._http.aclose()

    async def upload(
        self,
        image: ImageInput,
        *,
        order: Order = (),
        filename: str | None = None,
        idempotency_key: str | None = None,
        **parameters: Any,
    ) -> Job:
        """Uploads an image: see `Client.upload`. Reads a file outside the event loop."""
        return await self._run(self._calls.upload(image, order, parameters, filename, idempotency_key))

    async def find(self, job: JobOrId) -> Job:
        """The job as it is now."""
        return await self._run(self._calls.find(job))

    async def wait(self, job: JobOrId, *, timeout_seconds: float | None = None) -> Job:
        """The job once it has ended: see `Client.wait`."""
        return await self._run(self._calls.wait(job, timeout_seconds))

    async def events(self, job: JobOrId) -> AsyncIterator[JobEvent]:
        """What happens to the job, as it happens: see `Client.events`."""
        follow = Following(id_of(job), self._retries)
        while True:
            try:
                async with self._http.stream("GET", self._server + follow.path, headers=follow.headers()) as response:
                    follow.answered(wire.answer_of(response, b"" if response.is_success else await response.aread()))
                    if response.is_success:
                        async for line in response.aiter_lines():
                            if event := follow.read(line):
                                yield event
            except httpx.TransportError as error:
                follow.broke(wire.broken_by(error))
            if follow.is_over:
                return
            await anyio.sleep(follow.pause_seconds())

    async def download(self, result: Result, path: str | PathLike[str]) -> Path:
        """Saves a result as a file, and returns its path: see `Client.download`. Writes outside the event loop."""
        return await self._run(self._calls.download(result, Path(path)))

    async def jobs(
        self, *, status: str | None = None, tag: str | None = None, page_size: int = 100
    ) -> AsyncIterator[Job]:
        """All jobs, newest first: see `Client.jobs`."""
        query: tuple[tuple[str, str], ...] | None = first_page(status, tag, page_size)
        while query is not None:
            page: Page = await self._run(self._calls.page(query))
            for job in page.jobs:
                yield job
            query = following(page)

    async def count_jobs(self, *, status: str | None = None, tag: str | None = None) -> int:
        """How many jobs there are: see `Client.count_jobs`."""
        return await self._run(self._calls.count_jobs(status, tag))

    async def presets(self) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
        """The outputs of each preset, by its name."""
        return await self._run(self._calls.presets())

    async def cancel(self, job: JobOrId) -> Job:
        """Cancels a job that has not ended. Cancelling it again changes nothing."""
        return await self._run(self._calls.cancel(job))

    async def retry(self, job: JobOrId) -> Job:
        """Runs a FAILED job again, if its source is still kept."""
        return await self._run(self._calls.retry(job))

    async def delete(self, job: JobOrId) -> None:
        """Removes a job and its files, whatever its status."""
        await self._run(self._calls.delete(job))

    async def derive(
        self, job: JobOrId, *, order: Order = (), idempotency_key: str | None = None, **parameters: Any
    ) -> Job:
        """Makes further outputs of the image of a job: see `Client.derive`."""
        return await self._run(self._calls.derive(job, order, parameters, idempotency_key))

    async def reschedule(self, job: JobOrId, **changes: Any) -> Job:
        """Changes the priority or the schedule of a WAITING job: see `Client.reschedule`."""
        return await self._run(self._calls.reschedule(job, changes))

    async def cancel_jobs(self, *, status: str, tag: str | None = None, before: datetime | None = None) -> int:
        """Cancels many jobs, and returns how many: see `Client.cancel_jobs`."""
        conditions = {"status": status, "tag": tag, "before": before}
        return await self._run(self._calls.change_many("POST", "/jobs/cancel", conditions))

    async def retry_jobs(self, *, tag: str | None = None, before: datetime | None = None) -> int:
        """Runs FAILED jobs again, and returns how many: see `Client.retry_jobs`."""
        conditions = {"status": Status.FAILED.value, "tag": tag, "before": before}
        return await self._run(self._calls.change_many("POST", "/jobs/retry", conditions))

    async def delete_jobs(
        self, *, status: str | None = None, tag: str | None = None, before: datetime | None = None
    ) -> int:
        """Removes many jobs with their files, and returns how many: see `Client.delete_jobs`."""
        conditions = {"status": status, "tag": tag, "before": before}
        return await self._run(self._calls.change_many("DELETE", "/jobs", conditions))

    async def stats(self) -> Mapping[str, Any]:
        """How busy the service is and has been, as `GET /stats` shows it to its operator."""
        return await self._run(self._calls.stats())

    async def _run(self, plan: Plan[T]) -> T:
        reply: Answer | Broken | None = None
        with closing(plan):
            while True:
                try:
                    step = plan.send(reply)
                except StopIteration as end:
                    result: T = end.value
                    return result
                reply = await self._took(step)

    async def _took(self, step: Request | Pause | Do) -> Answer | Broken | None:
        match step:
            case Request():
                return await self._exchanged(step)
            case Pause(seconds):
                await anyio.sleep(seconds)
            case Do(function):
                await run_sync(function)
        return None

    async def _exchanged(self, request: Request) -> Answer | Broken:
        try:
            with pictures_opened(request.pictures) as images:
                made = wire.built(self._http, self._server, request, images)
                if isinstance(made.stream, httpx.SyncByteStream) and request.pictures:
                    made.stream = _ReadInThread(made.stream)
                async with aclosing(await self._http.send(made, stream=True)) as response:
                    return await _received(response, request)
        except httpx.TransportError as error:
            return wire.broken_by(error)


class _ReadInThread(httpx.AsyncByteStream):
    """The body of an upload, which httpx alone would read from the disk in the event loop."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self._pieces)
        while (piece := await run_sync(next, pieces, None)) is not None:
            yield piece


async def _received(response: httpx.Response, request: Request) -> Answer:
    sink = request.sink
    if sink is None or not response.is_success:
        return wire.answer_of(response, await response.aread())
    answer = wire.answer_of(response)
    await run_sync(sink.begin, answer)
    async for piece in response.aiter_bytes():
        await run_sync(sink.write, piece)
    return answer
