"""One batch on its way in: takes one image after the other, and notes which were accepted and which refused."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from quickthumb import intake
from quickthumb.intake.batch import BatchImage
from quickthumb.intake.errors import UploadTimedOut
from quickthumb.model.batch import BatchContents, BatchItem, BatchRecord, Refusal, batch_job_id
from quickthumb.model.caller import Caller
from quickthumb.model.errors import InvalidParameter, QuickThumbError
from quickthumb.model.job import Job
from quickthumb.queue.idempotency import IdempotencyRecord
from quickthumb.service.accept import Place
from quickthumb.service.submit import Submission, Upload
from quickthumb.storage import Storage
from quickthumb.storage.layout import batch_contents, batch_record
from quickthumb.work.outbox import WebhookOutbox

IMAGE_TYPE, URL_TYPE = "application/octet-stream", "application/json"


class BatchUpload:
    """The batch that `record` describes, for a caller. The first job that is accepted records the use of the
    Idempotency-Key; `unused` is that use until then."""

    def __init__(
        self,
        submission: Submission,
        storage: Storage,
        outbox: WebhookOutbox,
        caller: Caller,
        record: BatchRecord,
        use: IdempotencyRecord | None,
    ) -> None:
        self._submission = submission
        self._storage = storage
        self._outbox = outbox
        self._caller = caller
        self.record = record
        self._parameters: tuple[tuple[str, Any], ...] = ()
        self._begun = False
        self.unused = use
        self.items: list[BatchItem] = []
        self.jobs: dict[int, Job] = {}
        self.error: Refusal | None = None

    @property
    def contents(self) -> BatchContents:
        return BatchContents(items=tuple(self.items), error=self.error)

    async def begin(self, parameters: Sequence[tuple[str, Any]], fields: Sequence[intake.Field]) -> None:
        """Stores the record of the batch, unless its order is wrong, which then holds for all images: raises that."""
        given = intake.without_uploaders_fields(fields, None)
        parameters = (*parameters, *((field.name, field.value) for field in given))
        order = self._submission.order_of(self._caller, parameters)
        if order.notify_email is not None:
            raise InvalidParameter("A batch sends no emails. Name a `webhook` in place of that.", field="notify_email")
        # The webhook is that of the batch.
        self._parameters = tuple((name, value) for name, value in parameters if name != "webhook")
        told = {"webhook": order.webhook, "tags": order.tag, "context": order.context}
        self.record = self.record.model_copy(update=told)
        self._begun = True
        await self._storage.put(batch_record(self.record.id), self.record.model_dump_json().encode())

    async def take(self, image: BatchImage) -> None:
        """Accepts the image or refuses it. Raises the error that ended the request, if that is why it is refused."""
        number = len(self.items) + 1
        place = Place(self.record.id, batch_job_id(self.record.id, number), self.unused)
        refusal = None
        try:
            async with aclosing(image.read()) as body:
                job = await self._submission.submit(self._caller, self._upload(image, body, place))
        except QuickThumbError as error:
            if image.is_cut_off or isinstance(error, UploadTimedOut):
                raise
            refusal = Refusal.of(error)
        else:
            self.jobs[number], self.unused = job, None
        filename = image.filename if number not in self.jobs else self.jobs[number].source.filename
        self.items.append(BatchItem(number=number, filename=filename, refusal=refusal))

    def _upload(self, image: BatchImage, body: AsyncIterator[bytes], place: Place) -> Upload:
        if image.url is None:
            return Upload(body, IMAGE_TYPE, None, self._parameters, filename=image.filename, place=place)
        return Upload(_url_body(image.url), URL_TYPE, None, self._parameters, place=place)

    async def withdraw(self) -> None:
        """Removes the record of a batch to which no image came."""
        if self._begun:
            await self._storage.delete(batch_record(self.record.id))

    async def complete(self) -> None:
        """Stores what the batch has. No more images can come. If all its jobs have ended already, tells of that."""
        await self._storage.put(batch_contents(self.record.id), self.contents.model_dump_json().encode())
        with contextlib.suppress(QuickThumbError):  # otherwise, a sweep tells of it
            await self._outbox.announce_batch(self.record.id)


async def _url_body(url: str) -> AsyncIterator[bytes]:
    yield json.dumps({"url": url}).encode()
