"""Rebuilding Redis from the storage, queueing what arq's queue lost, and removing what has expired."""

import asyncio
import math
import os
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from quickthumb.imaging.engine import Rendering
from quickthumb.model.caller import ANONYMOUS
from quickthumb.model.email import Email, EmailOutcome
from quickthumb.model.job import Failure, Job, Outcome, Result, Status, new_id, now
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import EMAIL, EMAIL_SECONDS, FOREVER_SECONDS, JOB, KEYS
from quickthumb.queue.rates import EmailRates
from quickthumb.queue.repair import RepairLead
from quickthumb.service.emails import EmailLedger, MailService
from quickthumb.service.errors import QueueFull, UnknownJob
from quickthumb.service.repair import CHUNK, JobLedger, Repairer
from quickthumb.storage import FileStorage, Recorded, RetentionAges, sweeping
from quickthumb.storage.layout import mail_outcome, mail_record, record_key
from quickthumb.work.email import EmailHandler
from quickthumb.work.notices import NoticeTexts
from quickthumb.work.render import RenderHandler
from quickthumb.work.runner import Runner
from tests.redis_fixtures import a_job, claim, claimed, finished, is_held, token

AGES = RetentionAges(ended_seconds=3_600, source_seconds=60, unended_seconds=86_400, unfinished_seconds=600)


@pytest.fixture
def lead(client: Redis) -> RepairLead:
    return RepairLead(client)


@pytest.fixture
def emails(client: Redis) -> EmailStore:
    return EmailStore(client)


@pytest.fixture
def repairer(lead: RepairLead, store: JobStore, emails: EmailStore, storage: FileStorage) -> Repairer:
    ledgers = (JobLedger(store, storage, AGES), EmailLedger(emails, storage))
    return Repairer(lead, ledgers, sweep_interval_seconds=0)


async def on_disk(storage: FileStorage, job: Job) -> Job:
    async with storage.receive(job.id) as arrival:
        await arrival.write(b"source")
        await arrival.keep(job.record())
    return job


async def concluded(storage: FileStorage, job: Job, status: Status = Status.DONE) -> Outcome:
    result = Result(name="thumbnail", filename="thumbnail.jpg", format="jpeg", width=128, height=96, bytes=6)
    failure = Failure(code="broken_image", title="…", detail="…") if status is Status.FAILED else None
    outcome = Outcome(status=status, finished_at=now(), source=job.source, results=(result,), error=failure)
    async with storage.workspace(job.id, token()) as folder:
        (folder / "thumbnail.jpg").write_bytes(b"result")
        await storage.conclude(job.id, folder, outcome.model_dump_json().encode(), [result.filename])
    return outcome


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


async def test_an_emptied_redis_is_rebuilt_once(
    repairer: Repairer, store: JobStore, storage: FileStorage, redis: Redis
) -> None:
    waiting, done = await on_disk(storage, a_job()), await on_disk(storage, a_job())
    outcome = await concluded(storage, done)
    await repairer.round("a worker")

    queued = await store.get(waiting.id)
    assert queued == waiting
    assert await redis.zscore(KEYS.queue, waiting.id) is not None
    restored = await store.get(done.id)
    assert restored is not None
    assert (restored.status, restored.results, restored.finished_at) == (
        Status.DONE,
        outcome.results,
        outcome.finished_at,
    )
    assert await redis.zscore(KEYS.queue, done.id) is None
    page = await store.page(status=None, limit=10, cursor=None)
    assert {job.id for job in page.jobs} == {waiting.id, done.id}

    # The second round has no records to check: it is the same run of Redis, and Redis was not wiped.
    await redis.delete(KEYS.record(JOB, waiting.id))
    await repairer.round("a worker")
    assert await store.get(waiting.id) is None
    await redis.flushall()
    await repairer.round("a worker")
    assert await store.get(waiting.id) is not None


async def test_only_one_worker_does_repairs(
    repairer: Repairer, lead: RepairLead, store: JobStore, storage: FileStorage
) -> None:
    await repairer.round("the first")
    waiting = await on_disk(storage, a_job())
    assert not await lead.leads("the second")
    assert await lead.leads("the first")
    assert await store.get(waiting.id) is None


async def test_what_is_known_is_left_alone(
    repairer: Repairer, store: JobStore, attempts: Attempts, storage: FileStorage
) -> None:
    job = await on_disk(storage, a_job())
    await store.add(job)
    attempt = await claimed(attempts, job.id, lease_seconds=5)
    rebuilt = await repairer.rebuild()
    assert (rebuilt.looked_at, rebuilt.queued, rebuilt.restored) == (1, 0, 0)
    assert await is_held(attempts, attempt, lease_seconds=5)


async def test_a_failed_job_whose_outcome_is_gone_is_tried_again(
    repairer: Repairer, store: JobStore, attempts: Attempts, storage: FileStorage
) -> None:
    job = await on_disk(storage, a_job())
    await store.add(job)
    attempt = await claimed(attempts, job.id, lease_seconds=5)
    outcome = await concluded(storage, job, Status.FAILED)
    await finished(attempts, attempt, outcome, busy_seconds=0)
    assert (await repairer.rebuild()).queued == 0
    assert await storage.reopen(job.id, outcome.model_dump_json().encode())
    assert (await repairer.rebuild()).queued == 1
    reopened = await store.get(job.id)
    assert reopened is not None
    assert (reopened.status, reopened.error, reopened.finished_at) == (Status.WAITING, None, None)


@pytest.mark.parametrize("lost", ["the entry", "the call", "both"])
@pytest.mark.parametrize("running", [False, True])
async def test_what_arq_dropped_is_queued_again(
    repairer: Repairer,
    store: JobStore,
    attempts: Attempts,
    storage: FileStorage,
    redis: Redis,
    lost: str,
    running: bool,
) -> None:
    job = await on_disk(storage, a_job())
    await store.add(job)
    if running:
        await claimed(attempts, job.id, lease_seconds=5)
    if lost != "the call":
        await redis.zrem(KEYS.queue, job.id)
    if lost != "the entry":
        await redis.delete(KEYS.call(job.id))
    assert await repairer.reconcile() == 1
    assert await redis.zscore(KEYS.queue, job.id) is not None
    assert await redis.exists(KEYS.call(job.id))
    assert await repairer.reconcile() == 0


async def test_a_removed_job_that_came_back_in_redis_is_forgotten(
    repairer: Repairer, store: JobStore, storage: FileStorage, redis: Redis
) -> None:
    job = await on_disk(storage, a_job())
    await storage.remove(job.id)
    await store.add(job)
    await redis.zrem(KEYS.queue, job.id)
    assert await repairer.reconcile() == 0
    assert await store.get(job.id) is None


async def test_a_job_whose_record_is_missing_is_not_forgotten(
    repairer: Repairer, store: JobStore, storage: FileStorage, redis: Redis
) -> None:
    job = a_job()
    await store.add(job)
    await redis.zrem(KEYS.queue, job.id)
    assert await repairer.reconcile() == 1
    assert await store.get(job.id) == job


async def test_a_job_that_failed_because_no_worker_saw_its_record_is_queued_again_by_one_that_does(
    repairer: Repairer, store: JobStore, attempts: Attempts, storage: FileStorage
) -> None:
    job = a_job()
    await store.add(job)
    runner = Runner(attempts, lease_seconds=5)

    async def must_not_render(*_: object) -> Rendering:
        raise AssertionError

    handler = RenderHandler(store, attempts, storage, must_not_render, must_not_render, lease_seconds=5, max_attempts=2)
    for _ in range(2):
        await runner.run(handler, await claimed(attempts, job.id))
    failed = await store.get(job.id)
    assert failed is not None
    assert (failed.status, failed.error and failed.error.code) == (Status.FAILED, "record_missing")
    await on_disk(storage, job)
    assert (await repairer.rebuild()).queued == 1


async def test_what_was_kept_long_enough_is_removed_and_nothing_else(
    repairer: Repairer, store: JobStore, storage: FileStorage, folder: Path
) -> None:
    old, recent, fresh, waiting, forgotten = [await on_disk(storage, a_job()) for _ in range(5)]
    for job, age in ((old, 4_000), (recent, 100), (fresh, 1)):
        await concluded(storage, job)
        aged(folder / "processed" / job.id[:3] / job.id / "outcome.json", age)
    aged(folder / "uploads" / forgotten.id[:3] / forgotten.id / "job.json", 90_000)
    await store.add(old)
    abandoned, arriving = folder / "processed" / ".making" / new_id(), folder / "uploads" / ".arriving" / new_id()
    mine, theirs = folder / "uploads" / "notes", folder / "processed" / old.id[:3] / "README"
    for path in (abandoned, arriving, mine):
        path.mkdir(parents=True)
        aged(path, 700)
    theirs.touch()
    aged(theirs, 90_000)

    await repairer.sweep()

    assert {job_id for batch in [ids async for ids in storage.job_ids()] for job_id in batch} == {
        recent.id,
        fresh.id,
        waiting.id,
    }
    assert await store.get(old.id) is None
    assert (await storage.look_up(recent.id)).source is None
    assert (await storage.look_up(recent.id)).outcome is not None
    assert (await storage.look_up(fresh.id)).source is not None
    assert (await storage.look_up(waiting.id)).source is not None
    assert not abandoned.exists()
    assert not arriving.exists()
    assert mine.exists()
    assert theirs.exists()


class Post:
    """A mail server that accepts everything."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        self.sent.append(mail_id)


@pytest.fixture
def mail(emails: EmailStore, storage: FileStorage, rates: EmailRates) -> MailService:
    return MailService(emails, storage, rates, allowed=["*@example.com"], max_queued=10)


async def test_emails_outlive_an_emptied_redis(
    repairer: Repairer, mail: MailService, emails: EmailStore, attempts: Attempts, storage: FileStorage, redis: Redis
) -> None:
    post = Post()
    runner, handler = (
        Runner(attempts, lease_seconds=5),
        EmailHandler(emails, storage, post, NoticeTexts(storage, "a@b.example"), max_attempts=3),
    )
    sent, first, second = [await mail.queue(ANONYMOUS, "ada@example.com") for _ in range(3)]
    await runner.run(handler, await claimed(attempts, sent.id, kind=EMAIL))
    ended = await mail.find(ANONYMOUS, sent.id)
    await redis.flushall()

    report = await repairer.rebuild()
    assert (report.looked_at, report.queued, report.restored) == (3, 2, 1)
    assert await mail.find(ANONYMOUS, sent.id) == ended.model_copy(update={"attempts": 0})
    assert await mail.find(ANONYMOUS, first.id) == first
    assert await redis.zrange(KEYS.queue, 0, -1) == [email.id.encode() for email in sorted((first, second), key=by_age)]
    for email in (sent, first, second, first):
        attempt = await claim(attempts, EMAIL, email.id)
        if attempt is not None:
            await runner.run(handler, attempt)
    assert post.sent == [sent.id, first.id, second.id]
    assert (await repairer.rebuild()).queued == 0


def by_age(email: Email) -> tuple[datetime, str]:
    return email.created_at, email.id


async def test_an_email_that_arq_dropped_is_queued_again_and_one_that_was_not_accepted_forgotten(
    repairer: Repairer, mail: MailService, storage: FileStorage, redis: Redis, folder: Path
) -> None:
    dropped, refused, unseen = [await mail.queue(ANONYMOUS, "ada@example.com") for _ in range(3)]
    await redis.delete(KEYS.queue)
    outcome = EmailOutcome(status=Status.CANCELLED, finished_at=now())
    await storage.put(mail_outcome(refused.id), outcome.model_dump_json().encode())
    for email in (refused, unseen):
        (folder / mail_record(email.id)).unlink()
    assert await repairer.reconcile() == 2
    assert set(await redis.zrange(KEYS.queue, 0, -1)) == {dropped.id.encode(), unseen.id.encode()}
    with pytest.raises(UnknownJob):
        await mail.find(ANONYMOUS, refused.id)


async def test_emails_are_swept_a_day_after_their_end(
    repairer: Repairer, mail: MailService, emails: EmailStore, storage: FileStorage, folder: Path
) -> None:
    old, recent, waiting, given_up, unknown = [await mail.queue(ANONYMOUS, "ada@example.com") for _ in range(5)]
    for email in (old, recent):
        outcome = EmailOutcome(status=Status.DONE, finished_at=now())
        await storage.put(mail_outcome(email.id), outcome.model_dump_json().encode())
    for email in (old, given_up):
        for path in (folder / "mail" / email.id[:3] / email.id).iterdir():
            aged(path, EMAIL_SECONDS + 60)
    aged(folder / mail_record(unknown.id), 60)
    await emails.remove(unknown.id)
    await repairer.sweep()
    left = {blob.key for blobs in [blobs async for blobs in storage.list("mail/")] for blob in blobs}
    kept = (recent, waiting, unknown)
    assert left == {*(mail_record(email.id) for email in kept), mail_outcome(recent.id)}
    assert await mail.find(ANONYMOUS, unknown.id) == unknown
    for email in (old, given_up):
        with pytest.raises(UnknownJob):
            await mail.find(ANONYMOUS, email.id)


async def test_one_unreadable_record_does_not_keep_the_others_from_being_repaired(
    repairer: Repairer, lead: RepairLead, store: JobStore, storage: FileStorage, redis: Redis, folder: Path
) -> None:
    jobs = sorted([await on_disk(storage, a_job()) for _ in range(3)], key=lambda job: job.id)
    (folder / record_key(jobs[0].id)).write_bytes(b"")
    await redis.flushall()
    await repairer.round("a worker")
    assert [await store.get(job.id) is not None for job in jobs] == [False, True, True]
    assert await lead.rebuilt_for() == await lead.run_id()


async def test_a_record_that_the_system_cannot_read_does_not_keep_the_others_from_being_repaired(
    repairer: Repairer, store: JobStore, storage: FileStorage, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [await on_disk(storage, a_job()) for _ in range(3)]
    record = folder / record_key(jobs[1].id)
    record.unlink()
    record.mkdir()
    report = await repairer.rebuild()
    assert (report.looked_at, report.queued) == (3, 2)
    assert [await store.get(job.id) is not None for job in jobs] == [True, False, True]
    assert [line.getMessage() for line in caplog.records] == [f"{jobs[1].id} could not be repaired"]


async def test_jobs_return_in_the_order_of_their_acceptance_and_wake_one_worker(
    repairer: Repairer, storage: FileStorage, redis: Redis
) -> None:
    jobs = [await on_disk(storage, a_job(age_seconds=age)) for age in (30, 10, 50, 20, 40, -60)]
    await repairer.rebuild()
    by_acceptance = [job.id.encode() for job in sorted(jobs, key=lambda job: job.created_at)]
    assert await redis.zrange(KEYS.queue, 0, -1) == by_acceptance
    now_ms = time.time() * 1000
    assert all(score <= now_ms for _, score in await redis.zrange(KEYS.queue, 0, -1, withscores=True))
    assert await redis.llen(KEYS.wake) == 1  # type: ignore[misc]


async def test_an_ended_job_that_is_removed_while_it_is_restored_is_forgotten(
    lead: RepairLead, store: JobStore, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed, other = [await on_disk(storage, a_job()) for _ in range(2)]
    for job in (removed, other):
        await concluded(storage, job)
    restore = store.restore

    async def restore_late(lost: Sequence[tuple[Job, Outcome | None]]) -> list[bool]:
        await storage.remove(removed.id)
        return await restore(lost)

    monkeypatch.setattr(store, "restore", restore_late)
    report = await Repairer(lead, [JobLedger(store, storage, AGES)], sweep_interval_seconds=0).rebuild()
    assert (report.queued, report.restored) == (0, 1)
    assert await store.get(removed.id) is None
    assert await store.get(other.id) is not None


async def test_a_rebuild_that_was_interrupted_reads_only_what_is_still_unknown(
    repairer: Repairer, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    async def die() -> None:
        raise Killed

    monkeypatch.setattr(sweeping, "BATCH", 4)
    for _ in range(10):
        await on_disk(storage, a_job())
    with pytest.raises(Killed):
        await repairer.rebuild(die)
    looked_up: list[str] = []
    records = storage.records

    async def noted(job_ids: Sequence[str]) -> list[Recorded]:
        looked_up.extend(job_ids)
        return await records(job_ids)

    monkeypatch.setattr(storage, "records", noted)
    report = await repairer.rebuild()
    assert (report.looked_at, report.queued, len(looked_up)) == (10, 6, 6)


async def test_the_cost_of_a_rebuild_does_not_grow_by_a_round_trip_and_a_thread_for_each_record(
    repairer: Repairer, storage: FileStorage, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [await on_disk(storage, a_job()) for _ in range(2 * CHUNK)]
    for job in jobs[:CHUNK]:
        await concluded(storage, job)
    hops = 0
    to_thread = asyncio.to_thread

    async def counted(work: Callable[..., Any], *args: Any) -> Any:
        nonlocal hops
        hops += 1
        return await to_thread(work, *args)

    await repairer.rebuild()  # loads the scripts
    await redis.flushdb()
    await redis.config_resetstat()
    monkeypatch.setattr(asyncio, "to_thread", counted)
    report = await repairer.rebuild()
    assert (report.queued, report.restored) == (CHUNK, CHUNK)
    statistics = await redis.info("commandstats")
    scripts = sum(statistics[name]["calls"] for name in statistics if name.startswith("cmdstat_eval"))
    # One script for the statuses, and one for each chunk.
    assert scripts == 1 + 2
    # Three to list the jobs and the emails; one to read all records, and one to see which of the ended jobs were
    # removed meanwhile.
    assert hops <= 3 + 2


async def test_a_rebuild_that_fails_leaves_nothing_under_way(
    lead: RepairLead, store: JobStore, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2 * CHUNK + 1):
        await on_disk(storage, a_job())
    restore = store.restore
    begun = under_way = 0

    async def fail_once(lost: Sequence[tuple[Job, Outcome | None]]) -> list[bool]:
        nonlocal begun, under_way
        begun += 1
        if begun == 1:
            raise QueueUnavailable("Redis is away.")
        under_way += 1
        restored = await restore(lost)
        under_way -= 1
        return restored

    monkeypatch.setattr(store, "restore", fail_once)
    repairer = Repairer(lead, [JobLedger(store, storage, AGES)], sweep_interval_seconds=0)
    with pytest.raises(QueueUnavailable):
        await repairer.rebuild()
    assert (begun, under_way) == (3, 0)
    assert (await repairer.rebuild()).queued == CHUNK


async def test_a_redis_that_is_emptied_during_a_rebuild_is_rebuilt_again(
    repairer: Repairer, lead: RepairLead, store: JobStore, storage: FileStorage, redis: Redis
) -> None:
    done = await on_disk(storage, a_job())
    await concluded(storage, done)

    async def wipe() -> None:
        await redis.flushall()

    token = await lead.begin_rebuild()
    await repairer.rebuild(wipe)
    assert not await lead.mark_rebuilt(await lead.run_id(), token)
    await repairer.round("a worker")
    assert await store.get(done.id) is not None


@pytest.mark.parametrize("left", ["an expired record", "an end that a worker of the first release wrote"])
async def test_an_index_entry_that_nobody_removed_is_removed(
    repairer: Repairer, emails: EmailStore, storage: FileStorage, rates: EmailRates, redis: Redis, left: str
) -> None:
    mail = MailService(emails, storage, rates, allowed=["*"], max_queued=1)
    email = await mail.queue(ANONYMOUS, "ada@example.com")
    await redis.zrem(KEYS.queue, email.id)
    if left == "an expired record":
        await redis.delete(KEYS.record(EMAIL, email.id))
    else:
        await redis.hset(KEYS.record(EMAIL, email.id), "status", "DONE")  # type: ignore[misc]
    with pytest.raises(QueueFull):
        await mail.queue(ANONYMOUS, "bob@example.com")
    await repairer.reconcile()
    await mail.queue(ANONYMOUS, "bob@example.com")


async def test_an_email_that_a_worker_of_the_first_release_sent_is_not_sent_again(
    repairer: Repairer, emails: EmailStore, storage: FileStorage, rates: EmailRates, redis: Redis
) -> None:
    mail = MailService(emails, storage, rates, allowed=["*"], max_queued=9)
    email = await mail.queue(ANONYMOUS, "ada@example.com")
    await redis.hset(KEYS.record(EMAIL, email.id), "status", "DONE")  # type: ignore[misc]
    await repairer.rebuild()
    await redis.flushall()
    await repairer.rebuild()
    assert (await mail.find(ANONYMOUS, email.id)).status is Status.DONE
    assert await redis.zscore(KEYS.queue, email.id) is None


async def test_retention_times_that_have_changed_count_for_what_has_ended(
    lead: RepairLead, client: Redis, emails: EmailStore, storage: FileStorage, attempts: Attempts, redis: Redis
) -> None:
    """So a job is not forgotten that is now to be kept forever. Each change is done once."""
    job = await on_disk(storage, a_job())
    stores = [JobStore(client, retention_seconds=seconds) for seconds in (60, math.inf)]
    await stores[0].add(job)
    attempt = await claim(attempts, stores[0].kind, job.id)
    assert attempt is not None
    assert await finished(attempts, attempt, await concluded(storage, job))
    lives = []
    for store in (*stores, stores[1]):
        ledgers = (JobLedger(store, storage, AGES), EmailLedger(emails, storage))
        await Repairer(lead, ledgers, sweep_interval_seconds=0).round("a worker")
        lives.append(await redis.ttl(KEYS.record(JOB, job.id)))
        await redis.expire(KEYS.record(JOB, job.id), 50)
    assert lives[0] <= 60
    assert lives[1] > FOREVER_SECONDS - 60
    assert lives[2] <= 50
