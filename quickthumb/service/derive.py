"""The verb that makes further outputs of an image that is kept: a new job, which shares the source of an earlier one.

The earlier job is not changed. Afterwards neither job needs the other: each has its own record, results and retention.
"""

from dataclasses import dataclass
from typing import Any

from quickthumb.intake.errors import image_too_large
from quickthumb.model.allowance import Bounds
from quickthumb.model.caller import Caller
from quickthumb.model.errors import SourceMissing, TooManyPixels
from quickthumb.model.job import Job, new_id
from quickthumb.model.source import Source, SourceState
from quickthumb.queue.jobs import JobStore
from quickthumb.service.errors import NotReady
from quickthumb.service.sources import BOUNDS_SET_BY
from quickthumb.service.submit import Submission
from quickthumb.service.tenancy import find_job
from quickthumb.storage import Storage


@dataclass(frozen=True, slots=True)
class Derivation:
    """What a request asks to be made of a job's source: the fields of an order, as the client sent them."""

    job_id: str
    fields: tuple[tuple[str, Any], ...]
    idempotency_key: str | None = None


async def derive(
    store: JobStore,
    storage: Storage,
    submission: Submission,
    caller: Caller,
    derivation: Derivation,
) -> Job:
    """Queues a new job for the source of another. When this returns, the job is in the storage and in the queue.

    The caller's bounds and quotas hold as if the image was uploaded. If an earlier request with the same
    Idempotency-Key made a job, returns that job and makes no other.

    Raises UnknownJob; SourceMissing if the source is no longer kept; NotReady while it has yet to be fetched; what
    `Order.parse` and `Acceptance` raise; OrderTooLarge, TooManyBytes, TooManyPixels and PresetNotAllowed. Then no job
    is left behind.
    """
    job = await find_job(store, caller, derivation.job_id)
    source = _facts(job.source)
    order = submission.order_of(caller, derivation.fields)
    async with submission.acceptance.admit(
        caller, derivation.idempotency_key, least_bytes=lambda: source.bytes or 1
    ) as admission:
        await _require_source(storage, job, source, is_repeat=admission.is_repeat)
        _check(source, caller.bounds)
        is_large, pixels = submission.check_known(order, caller.bounds, source)
        new_job_id = new_id()

        async def keep(record: bytes) -> None:
            if not await storage.share(job.id, new_job_id, record):
                raise _missing()

        return await admission.accept(
            new_job_id, source, order, keep, is_large=is_large, output_pixels=pixels, derived_from=job.id
        )


def _facts(source: Source) -> Source:
    """The source as it is known before it is rendered: the rest is found anew."""
    return Source.model_validate(source.model_dump(include=set(Source.model_fields)))


async def _require_source(storage: Storage, job: Job, source: Source, *, is_repeat: bool) -> None:
    """Refuses a job without a source. A repeated request needs none: its job was made before."""
    if source.state is not SourceState.IDENTIFIED:
        raise _missing() if job.status.ended else NotReady("The image has not been fetched yet.")
    if not is_repeat and await storage.source(job.id) is None:
        raise _missing()


def _missing() -> SourceMissing:
    return SourceMissing("The source image of this job is no longer stored.")


def _check(source: Source, bounds: Bounds) -> None:
    if bounds.max_bytes is not None and (source.bytes or 0) > bounds.max_bytes:
        raise image_too_large(bounds.max_bytes, BOUNDS_SET_BY)
    width, height = source.width or 0, source.height or 0
    if bounds.max_pixels is not None and width * height > bounds.max_pixels:
        raise TooManyPixels(
            f"The image has {width} × {height} pixels; {BOUNDS_SET_BY} allows at most {bounds.max_pixels}."
        )
