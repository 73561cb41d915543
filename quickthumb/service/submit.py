"""Submitting an image: takes in its source, and accepts its order."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from quickthumb import intake
from quickthumb.model.caller import Caller
from quickthumb.model.job import Job, new_id
from quickthumb.model.order import Order, Presets
from quickthumb.service.accept import Acceptance
from quickthumb.service.sources import CheckHeader, SourceIntake, any_header


@dataclass(frozen=True, slots=True)
class Upload:
    """A request's body as it arrives, and what came with it in the head and the query of the request.

    `filename` is the image's name, unless the body has one. With `preset`, the endpoint decides which outputs to make,
    and all fields of the request are ignored.
    """

    body: AsyncIterator[bytes]
    content_type: str
    content_length: int | None
    parameters: Iterable[tuple[str, Any]]
    idempotency_key: str | None = None
    filename: str | None = None
    preset: str | None = None


class Submission:
    """The verb that submits an image. `order` is the class of the orders that clients may give."""

    def __init__(
        self, sources: SourceIntake, acceptance: Acceptance, presets: Presets, order: type[Order] = Order
    ) -> None:
        self.presets = presets
        self._sources = sources
        self._acceptance = acceptance
        self._order_kind = order

    async def submit(self, caller: Caller, upload: Upload, check: CheckHeader = any_header) -> Job:
        """Takes in an image and queues its job. When this returns, the job is in the storage and in the queue.

        If an earlier request with the same Idempotency-Key made a job, returns that job and makes no other. Calls
        `check` as soon as the image's header has arrived.

        Raises what `SourceIntake`, `Order.parse` and `Acceptance` raise; then nothing is left behind.
        """
        self._sources.refuse_early(upload.content_type, upload.content_length)
        if not intake.brings_fields(upload.content_type):
            self._order(upload, ())
        async with self._acceptance.admit(caller, upload.idempotency_key) as admission:
            job_id = new_id()
            async with self._sources.take_in(job_id, upload.body, upload.content_type, check) as taken:
                source = taken.source
                if source.filename is None and upload.filename is not None:
                    source = source.model_copy(update={"filename": upload.filename})
                order = self._order(upload, intake.without_uploaders_fields(taken.fields, source.filename))
                return await admission.accept(job_id, source, order, taken.keep)

    def _order(self, upload: Upload, fields: Iterable[intake.Field]) -> Order:
        if upload.preset is not None:
            return self._order_kind(outputs=self.presets[upload.preset])
        given = [*upload.parameters, *((field.name, field.value) for field in fields)]
        return self._order_kind.parse(given, self.presets)
