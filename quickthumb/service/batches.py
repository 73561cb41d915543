"""Batches: many images in one request. Each is accepted or refused by itself, one after the other as they arrive.

The storage has a record of a batch from its first image on, and its contents once no more can come. The ids of its jobs
follow from that of the batch, so the jobs of a batch whose request broke off, or whose web process died, are found too.
Redis knows nothing of batches but their jobs.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from quickthumb import intake
from quickthumb.config import BatchLimits
from quickthumb.intake.batch import BatchReader, refuse_batch_early
from quickthumb.model.batch import BatchRecord, Refusal
from quickthumb.model.caller import Caller
from quickthumb.model.errors import MalformedRequest, QuickThumbError
from quickthumb.model.job import Job, new_id, now
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.service.batch_records import CUT_OFF, Batch, BatchRecords
from quickthumb.service.batch_upload import BatchUpload
from quickthumb.service.downloads import Download
from quickthumb.service.errors import KeyReused, NotReady, UnknownBatch, UnknownResult
from quickthumb.service.submit import Submission
from quickthumb.storage import Storage
from quickthumb.work.outbox import WebhookOutbox

# What the use of an Idempotency-Key for a batch is told from others by.
FINGERPRINT = "batch"


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """The request that brings a batch: its body, which is not read yet, and what came in its head and query."""

    body: AsyncIterator[bytes]
    content_type: str
    content_length: int | None
    parameters: Iterable[tuple[str, Any]]
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class BatchFile:
    """One result of a batch: the number and the job of its image, its own name, its file."""

    number: int
    job: Job
    name: str
    format: str
    download: Download


class Batches:
    """The verbs on batches. Each raises UnknownBatch for another tenant's batch."""

    def __init__(
        self,
        submission: Submission,
        records: BatchRecords,
        storage: Storage,
        outbox: WebhookOutbox,
        *,
        limits: BatchLimits,
        per_image: intake.IntakeLimits,
    ) -> None:
        self._submission = submission
        self._acceptance = submission.acceptance
        self._records = records
        self._storage = storage
        self._outbox = outbox
        self._limits = limits
        self._per_image = per_image

    async def submit(self, caller: Caller, request: BatchRequest) -> Batch:
        """Takes in the images, and queues a job for each that is accepted.

        If the request ends early, the batch has the images so far, and an error; without any, the error is raised.
        If an earlier request had the same Idempotency-Key, returns its batch and reads nothing.

        Raises what `BatchReader`, `Acceptance.admit` and `Order.parse` raise, and KeyReused.
        """
        refuse_batch_early(request.content_type, request.content_length, self._limits)
        async with self._acceptance.admit(caller, request.idempotency_key) as admission:
            if admission.used is not None:
                if admission.used.fingerprint != FINGERPRINT:
                    raise KeyReused("This Idempotency-Key was already used for a request that is no batch.")
                return await self.find(caller, admission.used.job_id)
            reader = BatchReader(request.body, request.content_type, self._limits, self._per_image)
            record = BatchRecord(id=new_id(), tenant=caller.tenant, created_at=now(), most=self._limits.max_images)
            use = admission.use(record.id, FINGERPRINT)
            upload = BatchUpload(self._submission, self._storage, self._outbox, caller, record, use)
            jobs = await self._take_in(upload, reader, tuple(request.parameters))
            if upload.unused is not None:
                with contextlib.suppress(QueueUnavailable):  # nothing was accepted that a retry could make twice
                    await self._acceptance.idempotency.keep(upload.unused)
            return Batch(upload.record, upload.contents.items, jobs, upload.contents.error, is_complete=True)

    async def _take_in(
        self, upload: BatchUpload, reader: BatchReader, parameters: tuple[tuple[str, Any], ...]
    ) -> dict[int, Job]:
        try:
            async with aclosing(reader.images()) as images:
                async for image in images:
                    if not upload.items:
                        await upload.begin(parameters, reader.fields)
                    await upload.take(image)
        except QuickThumbError as error:
            if not upload.items:
                raise
            upload.error = Refusal.of(error)
        except BaseException:
            upload.error = CUT_OFF
            raise
        finally:
            # Also if the client has gone: what was accepted is complete.
            await asyncio.shield(upload.complete() if upload.items else upload.withdraw())
        if not upload.items:
            raise MalformedRequest("The batch has no image.", field="image")
        return upload.jobs

    async def find(self, caller: Caller, batch_id: str) -> Batch:
        """The batch in its current state."""
        record = await self._records.find(batch_id)
        if record is None or record.tenant != caller.tenant:
            raise UnknownBatch("There is no batch with this id; it may have expired.")
        return await self._records.batch(record)

    async def results(self, caller: Caller, batch_id: str) -> list[BatchFile]:
        """All results of the batch. Raises NotReady until it has ended, and UnknownResult if there are none."""
        batch = await self.find(caller, batch_id)
        if not batch.has_ended:
            raise NotReady("Not all jobs of the batch have ended.")
        files = [file for number, job in batch.jobs.items() for file in await self._files(number, job)]
        if not files:
            raise UnknownResult("No job of the batch has results.")
        return files

    async def _files(self, number: int, job: Job) -> list[BatchFile]:
        files = []
        for result in job.results:
            blob = await self._storage.result(job.id, result.filename)
            if blob is not None:
                files.append(BatchFile(number, job, result.name, result.format, Download(blob, self._storage)))
        return files
