"""The messages to webhooks: what each tells of a job or of a batch."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from quickthumb.model.job import Job, Outcome
from quickthumb.model.webhook import Delivery
from quickthumb.notify.webhook import message
from quickthumb.queue.jobs import JobStore
from quickthumb.storage import Storage
from quickthumb.work.batch_ends import BatchEnds

SOURCE_FACTS = {"filename", "format", "width", "height", "bytes", "sha256"}
RESULT_FACTS = {"format", "width", "height", "bytes"}


class Messages:
    """Writes messages from what the storage says. URLs in them begin with `base`."""

    def __init__(self, storage: Storage, jobs: JobStore, batches: BatchEnds, base: str) -> None:
        self._storage = storage
        self._jobs = jobs
        self._batches = batches
        self._base = base

    async def body(self, delivery: Delivery) -> bytes | None:
        """The message; None as long as Redis has not been told of the end of the job, or of all jobs of the batch:
        whoever gets the message may ask for them at once.

        If a job was retried or removed since, it tells only what happened.
        """
        if delivery.batch_id is not None:
            if not await self._batches.is_settled(delivery.batch_id):
                return None
            return message(delivery.event, delivery.happened_at, await self._facts_of_batch(delivery.batch_id))
        if delivery.job_id is None:
            return message(delivery.event, delivery.happened_at, {"webhook_id": delivery.webhook_id})
        (kept,) = await self._storage.records([delivery.job_id])
        job = None if kept.record is None else Job.from_record(kept.record)
        outcome = None if kept.outcome is None else Outcome.model_validate_json(kept.outcome)
        if outcome is not None and outcome.finished_at != delivery.happened_at:
            outcome = None
        if outcome is not None and await self._is_unsettled(delivery.job_id):
            return None
        return message(delivery.event, delivery.happened_at, self._facts(delivery, job, outcome))

    async def _facts_of_batch(self, batch_id: str) -> Mapping[str, Any]:
        """What is known of the batch; after its retention time, that is no more than its id."""
        url = f"{self._base}/batches/{batch_id}"
        facts: dict[str, Any] = {"id": batch_id, "url": url}
        record, end = await self._batches.record(batch_id), await self._batches.known(batch_id)
        contents = await self._batches.contents(batch_id)
        if record is not None and end is not None and contents is not None:
            facts |= {
                "counts": end.counts,
                "tags": record.tags,
                "context": record.context,
                "results": f"{url}/results.zip",
                "error": None if contents.error is None else contents.error.model_dump(mode="json", exclude_none=True),
            }
        return facts

    async def _is_unsettled(self, job_id: str) -> bool:
        queued = await self._jobs.get(job_id)
        return queued is not None and not queued.status.ended

    def _facts(self, delivery: Delivery, job: Job | None, outcome: Outcome | None) -> Mapping[str, Any]:
        url = f"{self._base}/jobs/{delivery.job_id}"
        facts: dict[str, Any] = {
            "id": delivery.job_id,
            "status": delivery.event.rpartition(".")[2].upper(),
            "url": url,
        }
        if job is not None:
            source = outcome.source if outcome else job.source
            facts["source"] = source.model_dump(mode="json", include=SOURCE_FACTS)
            facts["tags"] = job.order.get("tag", [])
            facts["context"] = job.order.get("context")
        if outcome is not None:
            facts["results"] = {
                result.name: {
                    "url": f"{url}/results/{quote(result.name)}",
                    **result.model_dump(include=RESULT_FACTS),
                }
                for result in outcome.results
            }
            facts["error"] = None if outcome.error is None else outcome.error.model_dump(mode="json")
        return facts
