"""The machine loses its power, and Redis all of its data: what is left in the storage is enough to go on."""

import hashlib
import os
import random
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb.model.caller import ANONYMOUS
from quickthumb.model.email import Email
from quickthumb.model.job import Failure, Job, Outcome, Status, new_id, now
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import KEYS
from quickthumb.queue.rates import EmailRates
from quickthumb.queue.repair import RepairLead
from quickthumb.queue.watch import JobWatch
from quickthumb.service.emails import EmailLedger, MailService
from quickthumb.service.jobs import ImageService
from quickthumb.service.repair import JobLedger, Repairer
from quickthumb.storage import FileStorage, RetentionAges
from tests.conftest import picture
from tests.redis_fixtures import claimed, finished
from tests.service.test_jobs import service_of, upload
from tests.storage.disk_log import Crash
from tests.storage.disk_recorder import Recorder, recording
from tests.storage.jobs import content
from tests.storage.outage import nothing_synced, put_on_disk

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows syncs no folders")
AGES = RetentionAges(ended_seconds=86_400, source_seconds=86_400, unended_seconds=86_400, unfinished_seconds=3_600)
FAILURE = Failure(code="broken_image", title="…", detail="…")
# None: there is no such job.
Promise = tuple[int, str, Status | None]


class Life:
    """What clients ask for and workers do; and the status that was promised for each item, from which moment on."""

    def __init__(
        self,
        recorder: Recorder,
        storage: FileStorage,
        images: ImageService,
        mail: MailService,
        attempts: Attempts,
    ) -> None:
        self._recorder = recorder
        self._storage = storage
        self._images = images
        self._mail = mail
        self._attempts = attempts
        self.promised: list[Promise] = []

    async def live(self) -> None:
        done, failed = await self._submit(), await self._submit()
        await self._end(done, Status.DONE)
        await self._end(failed, Status.FAILED)
        email = await self._mail.queue(ANONYMOUS, "ada@example.com")
        self._promise(email.id, Status.WAITING)
        cancelled, removed = await self._submit(), await self._submit()
        await self._images.cancel(ANONYMOUS, cancelled.id)
        self._promise(cancelled.id, Status.CANCELLED)
        await self._images.remove(ANONYMOUS, removed.id)
        self._promise(removed.id, None)
        await self._images.retry(ANONYMOUS, failed.id)
        self._promise(failed.id, Status.WAITING)

    async def _submit(self) -> Job:
        job = await self._images.submit(ANONYMOUS, upload(picture(40, 30)))
        self._promise(job.id, Status.WAITING)
        return job

    async def _end(self, job: Job, status: Status) -> None:
        attempt = await claimed(self._attempts, job.id)
        error = FAILURE if status is Status.FAILED else None
        outcome = Outcome(status=status, finished_at=now(), source=job.source, error=error)
        async with self._storage.workspace(job.id, new_id()) as folder:
            await self._storage.conclude(job.id, folder, outcome.model_dump_json().encode())
        self._promise(job.id, status)
        await finished(self._attempts, attempt, outcome)

    def _promise(self, item_id: str, status: Status | None) -> None:
        self.promised.append((self._recorder.look(), item_id, status))


@pytest.fixture
async def life(
    client: Redis, store: JobStore, attempts: Attempts, rates: EmailRates, tmp_path: Path
) -> tuple[Recorder, list[Promise]]:
    disk = tmp_path / "disk"
    disk.mkdir()
    watch = JobWatch(client)
    with recording(disk) as recorder:
        storage = FileStorage(disk / "data")
        storage.expect(await storage.identity())
        mail = MailService(EmailStore(client), storage, rates, allowed=["*"], max_queued=9)
        life = Life(recorder, storage, service_of(store, storage, watch, client), mail, attempts)
        await life.live()
    await watch.close()
    return recorder, life.promised


@pytest.mark.parametrize("unsynced", ["lost", "mixed"])
async def test_everything_that_was_promised_is_rebuilt(
    life: tuple[Recorder, list[Promise]], client: Redis, store: JobStore, redis: Redis, tmp_path: Path, unsynced: str
) -> None:
    recorder, promised = life
    emails, storage = EmailStore(client), FileStorage(tmp_path / "after" / "data")
    ledgers = (JobLedger(store, storage, AGES), EmailLedger(emails, storage))
    repairer = Repairer(RepairLead(client), ledgers, sweep_interval_seconds=0)
    chance = random.Random(1)
    for moment in range(len(recorder.log.steps) + 1):
        harshest, *others = Crash(recorder.log, moment).states(chance, 1)
        with nothing_synced():
            put_on_disk(harshest if unsynced == "lost" else others[-1], tmp_path / "after")
            await redis.flushall()
            await repairer.rebuild()
        queued = {item_id.decode() for item_id in await redis.zrange(KEYS.queue, 0, -1)}
        for item_id, allowed in statuses_at(moment, promised).items():
            item: Job | Email | None = await store.get(item_id) or await emails.get(item_id)
            assert (None if item is None else item.status) in allowed, moment
            assert (item_id in queued) == (item is not None and item.status is Status.WAITING)
            if isinstance(item, Job):
                source = await content(storage, await storage.source(item_id))
                assert hashlib.sha256(source).hexdigest() == item.source.sha256


def statuses_at(moment: int, promised: list[Promise]) -> dict[str, set[Status | None]]:
    """The statuses that each item may have: the last that was promised, and the next, which may be on the disk too."""
    found: dict[str, set[Status | None]] = {}
    for since, item_id, status in promised:
        if since <= moment:
            found[item_id] = {status}
    for item_id, allowed in found.items():
        allowed.update([status for since, other_id, status in promised if other_id == item_id and since > moment][:1])
    return found
