"""Fetches the source of a job from its URL, within an attempt to render the job, and keeps it: what is kept is never
fetched again. It is checked as an upload is, and may ask for no more."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from quickthumb.imaging.cost import check_cost, check_memory, estimate_cost
from quickthumb.imaging.header import Header, read_header_of_file
from quickthumb.imaging.memory import estimate_decode_bytes
from quickthumb.intake import ImageStream
from quickthumb.intake.errors import image_too_large
from quickthumb.model.errors import OrderTooLarge
from quickthumb.model.job import Job
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.model.source import Fetch, Source
from quickthumb.outbound import AnswerTooLarge, OutboundClient, OutboundError, OutboundRefused, shown
from quickthumb.outbound.allowed import AllowedUrls
from quickthumb.queue.attempts import Attempt
from quickthumb.storage import Arrival, Blob, Storage
from quickthumb.work.errors import FetchFailed, FetchRefused
from quickthumb.work.examination import Examination, identified

log = logging.getLogger("quickthumb.job")

# The field of a job's hash that counts the attempts to fetch its source that failed.
FETCHES = "fetches"
# How many sources a worker fetches at once, so that slow servers do not block images that have arrived.
FETCHES_AT_ONCE = 4
# How soon a job asks again for one of these places.
NO_PLACE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0


class FetchLater(Exception):
    """Another attempt must fetch the source, after `seconds`. `fields` go into the job's record in Redis."""

    def __init__(self, seconds: float, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(seconds)
        self.seconds = seconds
        self.fields = fields or {}


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one fetched image may have and take. `attempts` and `seconds` are for fetching it, `budget_bytes` is the
    memory for rendering it."""

    imaging: Limits
    max_bytes: int
    budget_bytes: int
    attempts: int
    seconds: float


class Fetcher:
    """Fetches sources from the URLs that `urls` allows."""

    def __init__(self, client: OutboundClient, storage: Storage, urls: AllowedUrls, limits: FetchLimits) -> None:
        self._client = client
        self._storage = storage
        self._urls = urls
        self._limits = limits
        self._fetching = 0

    async def fetch(self, attempt: Attempt, job: Job, fetch: Fetch) -> Source:
        """Fetches the source and keeps it; returns what is known of it.

        Raises FetchLater if it may succeed later, FetchFailed, FetchRefused, UrlNotAllowed, the errors with which
        uploads are refused, and those of the storage. Unless it returns, nothing is kept.
        """
        if self._fetching >= FETCHES_AT_ONCE:
            raise FetchLater(NO_PLACE_SECONDS)
        self._fetching += 1
        try:
            return await self._received(attempt, job, fetch)
        except OutboundRefused as error:
            raise FetchRefused(error.message, field="url") from error
        except AnswerTooLarge as error:
            raise image_too_large(self._most_bytes(fetch)) from error
        except OutboundError as error:
            self._wait_for_better(attempt, fetch, error)
            raise FetchFailed(error.message, field="url") from error
        finally:
            self._fetching -= 1

    async def identify(self, job: Job, blob: Blob) -> Source:
        """What is known of a source that an earlier attempt has kept. Raises what `fetch` raises for an image."""
        examination = self._examination(job, job.fetch)
        async with self._storage.local(blob) as path:
            header, sha256 = await asyncio.to_thread(_read, path)
        return identified(job.source, examination.checked(header), length=blob.length, sha256=sha256)

    async def _received(self, attempt: Attempt, job: Job, fetch: Fetch) -> Source:
        examination, most = self._examination(job, fetch), self._most_bytes(fetch)
        async with AsyncExitStack() as stack:
            arrivals: list[Arrival] = []

            async def open_arrival() -> Arrival:
                arrivals.append(await stack.enter_async_context(self._storage.supply(job.id, attempt.token)))
                return arrivals[0]

            image = ImageStream(examination.inspect, open_arrival, max_bytes=most, make_watch=examination.begin_watch)
            async with self._client.get(
                fetch.url, max_bytes=most, seconds=self._limits.seconds, check=self._urls.check
            ) as download:
                async for chunk in download.chunks:
                    await image.write(chunk)
            sha256 = await image.finish()
            header = await examination.final(image.header, arrivals[0])
            await arrivals[0].keep(b"")
            log.info("job %s: fetched %d bytes from %s", job.id, image.bytes, shown(fetch.url))
            return identified(job.source, header, length=image.bytes, sha256=sha256)

    def _wait_for_better(self, attempt: Attempt, fetch: Fetch, error: OutboundError) -> None:
        """Raises FetchLater if this failure may pass and attempts are left."""
        failed = int(attempt.fields.get(FETCHES.encode(), 0)) + 1
        if not error.may_pass or failed >= self._limits.attempts:
            return
        pause = min(LONGEST_PAUSE_SECONDS, 2.0 ** min(failed - 1, 30))
        seconds = max(pause, error.retry_after_seconds or 0.0)
        log.warning(
            "job %s: could not fetch %s; trying again in %g s: %s", attempt.id, shown(fetch.url), seconds, error.message
        )
        raise FetchLater(seconds, {FETCHES: str(failed)}) from error

    def _most_bytes(self, fetch: Fetch) -> int:
        return min(self._limits.max_bytes, fetch.bounds.max_bytes or self._limits.max_bytes)

    def _examination(self, job: Job, fetch: Fetch | None) -> Examination:
        limits = self._limits.imaging
        if fetch is not None and fetch.bounds.max_pixels is not None:
            limits = replace(limits, max_pixels=min(limits.max_pixels, fetch.bounds.max_pixels))
        outputs = tuple(Output.model_validate(parameters) for parameters in job.outputs)
        return Examination(limits, partial(self._check_order, outputs, fetch))

    def _check_order(self, outputs: tuple[Output, ...], fetch: Fetch | None, header: Header) -> None:
        """Raises OrderTooLarge if the order asks for more than one job may take, now that its image is known."""
        width, height = header.upright
        cost = estimate_cost(format=header.format, size=header.upright, outputs=outputs)
        check_cost(cost, self._limits.imaging)
        needed_bytes = estimate_decode_bytes(format=header.format, width=width, height=height, outputs=outputs)
        check_memory(needed_bytes, self._limits.budget_bytes)
        most = None if fetch is None else fetch.bounds.max_output_pixels
        if most is not None and cost.pixels > most:
            raise OrderTooLarge(f"The outputs have {cost.pixels} pixels together; at most {most} are allowed.")


def _read(path: Path) -> tuple[Header, str]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return read_header_of_file(path), sha256
