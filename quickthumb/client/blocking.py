"""The client for programs without asyncio."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from quickthumb.client import wire
from quickthumb.client.answers import Job, Page, Result, Status
from quickthumb.client.blocking_verbs import BatchVerbs, WebhookVerbs
from quickthumb.client.calls import Calls, JobOrId, first_page, following, id_of
from quickthumb.client.events import Following, JobEvent
from quickthumb.client.exchange import Answer, Broken, Do, Pause, Plan, Request, Retries
from quickthumb.client.pictures import ImageInput, Order
from quickthumb.client.pictures import opened as pictures_opened

T = TypeVar("T")
DEFAULT_TIMEOUT_SECONDS = 60.0


class Client:
    """A client of the service at the URL `server`, such as `http://127.0.0.1:8000`.

    Every method raises Problem if the service refuses the request, Unreachable if no answer comes, and UnexpectedAnswer
    if the answer is not QuickThumb's. Threads may share a client.

    `key` is the API key, if the service needs one. `timeout_seconds` is how long a connection may be silent. `headers`
    are sent with every request. `http` replaces the httpx client and these three, for example to set certificates or a
    proxy; it stays open when this client is closed.

    `batches` and `webhooks` have the methods for these.
    """

    def __init__(
        self,
        server: str,
        *,
        key: str | None = None,
        retries: Retries | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        headers: Mapping[str, str] | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._server = wire.checked_url(server)
        self._retries = retries or Retries()
        self._calls = Calls(self._retries)
        self.batches = BatchVerbs(self._run, self._retries)
        self.webhooks = WebhookVerbs(self._run, self._retries)
        self._owned = http is None
        self._http = http or httpx.Client(**wire.settings(timeout_seconds, key, headers))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        if self._owned:
            self._http.close()

    def upload(
        self,
        image: ImageInput,
        *,
        order: Order = (),
        filename: str | None = None,
        idempotency_key: str | None = None,
        **parameters: Any,
    ) -> Job:
        """Uploads an image, and returns its job once the service has accepted it.

        `image` is a path, the bytes, or a file that is open in binary mode. Files are streamed. What to make of it
        comes as keyword arguments or in `order`: `preset="avatar"`, `size="300x300"`, `outputs=[{…}, {…}]`.

        All tries of one call have the same idempotency key, so they never make two jobs. Give a key of your own if your
        program may call again for the same image, such as after a crash. A pipe is sent once only. Raises OSError if
        the image cannot be read.
        """
        return self._run(self._calls.upload(image, order, parameters, filename, idempotency_key))

    def find(self, job: JobOrId) -> Job:
        """The job as it is now."""
        return self._run(self._calls.find(job))

    def wait(self, job: JobOrId, *, timeout_seconds: float | None = None) -> Job:
        """The job once it is DONE, FAILED or CANCELLED. Raises StillRunning if it has not ended in time."""
        return self._run(self._calls.wait(job, timeout_seconds))

    def events(self, job: JobOrId) -> Iterator[JobEvent]:
        """What happens to the job, as it happens: first how it is now, last its end. Goes on after a connection broke.

        Raises as the other methods do.
        """
        follow = Following(id_of(job), self._retries)
        while True:
            try:
                with self._http.stream("GET", self._server + follow.path, headers=follow.headers()) as response:
                    follow.answered(wire.answer_of(response, b"" if response.is_success else response.read()))
                    if response.is_success:
                        yield from filter(None, map(follow.read, response.iter_lines()))
            except httpx.TransportError as error:
                follow.broke(wire.broken_by(error))
            if follow.is_over:
                return
            time.sleep(follow.pause_seconds())

    def download(self, result: Result, path: str | PathLike[str]) -> Path:
        """Saves a result as the file `path`, and returns that.

        The file appears once it is whole, and replaces an older one; it is kept beside `path` until then. A download
        that breaks off goes on where it was. Raises DamagedDownload if its length is wrong, and OSError if it cannot be
        written; then nothing is left behind.
        """
        return self._run(self._calls.download(result, Path(path)))

    def jobs(self, *, status: str | None = None, tag: str | None = None, page_size: int = 100) -> Iterator[Job]:
        """All jobs, or those with the status and the tag, newest first. Asks for the next page when it is needed."""
        query: tuple[tuple[str, str], ...] | None = first_page(status, tag, page_size)
        while query is not None:
            page: Page = self._run(self._calls.page(query))
            yield from page.jobs
            query = following(page)

    def count_jobs(self, *, status: str | None = None, tag: str | None = None) -> int:
        """How many jobs there are, of those with the status and the tag if they are given."""
        return self._run(self._calls.count_jobs(status, tag))

    def presets(self) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
        """The outputs of each preset, by its name."""
        return self._run(self._calls.presets())

    def cancel(self, job: JobOrId) -> Job:
        """Cancels a job that has not ended. Cancelling it again changes nothing."""
        return self._run(self._calls.cancel(job))

    def retry(self, job: JobOrId) -> Job:
        """Runs a FAILED job again, if its source is still kept."""
        return self._run(self._calls.retry(job))

    def delete(self, job: JobOrId) -> None:
        """Removes a job and its files, whatever its status."""
        self._run(self._calls.delete(job))

    def derive(self, job: JobOrId, *, order: Order = (), idempotency_key: str | None = None, **parameters: Any) -> Job:
        """Makes further outputs of the image of a job, which must still be kept, and returns the new job. What to make
        is given as in `upload`."""
        return self._run(self._calls.derive(job, order, parameters, idempotency_key))

    def reschedule(self, job: JobOrId, **changes: Any) -> Job:
        """Changes the `priority` of a WAITING job, or when it may begin: a `delay` in seconds, or `run_at`, a moment;
        None lets it begin as soon as it is its turn. Returns the job."""
        return self._run(self._calls.reschedule(job, changes))

    def cancel_jobs(self, *, status: str, tag: str | None = None, before: datetime | None = None) -> int:
        """Cancels all jobs with this status, WAITING or IN_PROGRESS, and returns how many: only those with the tag,
        and accepted before the moment, if these are given."""
        conditions = {"status": status, "tag": tag, "before": before}
        return self._run(self._calls.change_many("POST", "/jobs/cancel", conditions))

    def retry_jobs(self, *, tag: str | None = None, before: datetime | None = None) -> int:
        """Runs all FAILED jobs again whose sources are still kept, and returns how many: see `cancel_jobs`."""
        conditions = {"status": Status.FAILED.value, "tag": tag, "before": before}
        return self._run(self._calls.change_many("POST", "/jobs/retry", conditions))

    def delete_jobs(self, *, status: str | None = None, tag: str | None = None, before: datetime | None = None) -> int:
        """Removes all jobs for which all of this holds, with their files, and returns how many. At least one condition
        must be given."""
        conditions = {"status": status, "tag": tag, "before": before}
        return self._run(self._calls.change_many("DELETE", "/jobs", conditions))

    def stats(self) -> Mapping[str, Any]:
        """How busy the service is and has been, as `GET /stats` shows it to its operator."""
        return self._run(self._calls.stats())

    def _run(self, plan: Plan[T]) -> T:
        reply: Answer | Broken | None = None
        with closing(plan):
            while True:
                try:
                    step = plan.send(reply)
                except StopIteration as end:
                    result: T = end.value
                    return result
                reply = self._took(step)

    def _took(self, step: Request | Pause | Do) -> Answer | Broken | None:
        match step:
            case Request():
                return self._exchanged(step)
            case Pause(seconds):
                time.sleep(seconds)
            case Do(function):
                function()
        return None

    def _exchanged(self, request: Request) -> Answer | Broken:
        try:
            with pictures_opened(request.pictures) as images:
                response = self._http.send(wire.built(self._http, self._server, request, images), stream=True)
                with closing(response):
                    return _received(response, request)
        except httpx.TransportError as error:
            return wire.broken_by(error)


def _received(response: httpx.Response, request: Request) -> Answer:
    sink = request.sink
    if sink is None or not response.is_success:
        return wire.answer_of(response, response.read())
    answer = wire.answer_of(response)
    sink.begin(answer)
    for piece in response.iter_bytes():
        sink.write(piece)
    return answer
