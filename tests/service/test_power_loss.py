"""The machine loses its power, and Redis all of its data: what is left in the storage is enough to go on."""

import os
import random
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb.model.email import Email
from quickthumb.model.job import Failure, Job, Outcome, Status, new_id, now
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import KEYS
from quickthumb.queue.repair import RepairLead
from quickthumb.service.emails import EmailLedger
from quickthumb.service.repair import JobLedger, Repairer
from quickthumb.storage import FileStorage, RetentionAges
from quickthumb.storage.layout import mail_record
from tests.redis_fixtures import a_job
from tests.storage.disk_log import Crash
from tests.storage.disk_recorder import Recorder, recording
from tests.storage.outage import put_on_disk

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows syncs no folders")
AGES = RetentionAges(ended_seconds=86_400, source_seconds=86_400, unended_seconds=86_400, unfinished_seconds=3_600)
FAILURE = Failure(code="broken_image", title="…", detail="…")


class Life:
    """Some jobs and an email, in a recorded folder; and from which moment on each is promised to have which status."""

    def __init__(self, recorder: Recorder, storage: FileStorage) -> None:
        self._recorder = recorder
        self._storage = storage
        self.promised: list[tuple[int, str, Status]] = []

    async def live(self) -> None:
        first, second, third = [await self._accept() for _ in range(3)]
        await self._end(first, Status.DONE)
        email = Email(id=new_id(), address="ada@example.com", created_at=now())
        await self._storage.put(mail_record(email.id), email.record())
        self._promise(email.id, Status.WAITING)
        failed = await self._end(second, Status.FAILED)
        await self._end(third, Status.CANCELLED)
        await self._storage.reopen(second.id, failed)
        self._promise(second.id, Status.WAITING)

    async def _accept(self) -> Job:
        job = a_job()
        async with self._storage.receive(job.id) as arrival:
            await arrival.write(b"source")
            await arrival.keep(job.record())
        self._promise(job.id, Status.WAITING)
        return job

    async def _end(self, job: Job, status: Status) -> bytes:
        error = FAILURE if status is Status.FAILED else None
        outcome = Outcome(status=status, finished_at=now(), source=job.source, error=error).model_dump_json().encode()
        async with self._storage.workspace(job.id, new_id()) as folder:
            await self._storage.conclude(job.id, folder, outcome)
        self._promise(job.id, status)
        return outcome

    def _promise(self, item_id: str, status: Status) -> None:
        self.promised.append((self._recorder.look(), item_id, status))


@pytest.mark.parametrize("seed", range(2))
async def test_everything_that_was_promised_is_rebuilt_after_a_power_loss(
    client: Redis, store: JobStore, redis: Redis, tmp_path: Path, seed: int
) -> None:
    disk, after = tmp_path / "disk", tmp_path / "after"
    disk.mkdir()
    with recording(disk) as recorder:
        life = Life(recorder, FileStorage(disk / "data"))
        await life.live()
    emails, storage = EmailStore(client), FileStorage(after / "data")
    repairer = Repairer(
        RepairLead(client), (JobLedger(store, storage, AGES), EmailLedger(emails, storage)), sweep_interval_seconds=0
    )
    chance = random.Random(seed)
    for moment in range(len(recorder.log.steps) + 1):
        harshest, *others = Crash(recorder.log, moment).states(chance, 1)
        put_on_disk(harshest if seed == 0 else others[-1], after)
        await redis.flushall()
        await repairer.rebuild()
        queued = {item_id.decode() for item_id in await redis.zrange(KEYS.queue, 0, -1)}
        for item_id, status in promised_at(moment, life.promised).items():
            item = await store.get(item_id) or await emails.get(item_id)
            assert item is not None, (moment, status)
            # What happened next may be on the disk, too.
            assert item.status in {status, *later(moment, item_id, life.promised)}
            assert (item_id in queued) == (item.status is Status.WAITING)


def promised_at(moment: int, promised: list[tuple[int, str, Status]]) -> dict[str, Status]:
    """The last status that each item was promised to have at this moment."""
    return {item_id: status for since, item_id, status in promised if since <= moment}


def later(moment: int, item_id: str, promised: list[tuple[int, str, Status]]) -> list[Status]:
    """The status that the item was promised to have next."""
    return [status for since, other_id, status in promised if other_id == item_id and since > moment][:1]
