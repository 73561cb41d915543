"""Attempts to deliver: what each answer of a receiver means."""

from datetime import timedelta
from unittest.mock import patch

import pytest
from redis.asyncio import Redis
from standardwebhooks import Webhook as Verifier

from quickthumb.model.job import Job, Outcome, Status, now
from quickthumb.model.webhook import OVERLAP, EventType
from quickthumb.queue.keys import DELIVERY_SECONDS, TRIED_SECONDS
from quickthumb.storage.layout import delivered_folder
from quickthumb.work import webhooks as webhooks_module
from quickthumb.work.deliver import JITTER
from quickthumb.work.handler import Cancelled, Done, Failed, Snooze
from quickthumb.work.hosts import MOST_FAILURES
from tests.storage.jobs import listed
from tests.webhooks.conftest import PAUSES, SECRET, Site


async def test_an_event_is_delivered_once_and_marked_on_disk(site: Site) -> None:
    webhook = await site.webhook()
    job = await site.ended(order={"outputs": [], "tag": ["cats"], "context": {"order": 17}})
    (delivery,) = await site.owed(job)
    assert isinstance(await site.run(delivery), Done)
    (told,) = site.hook.received
    event = Verifier(webhook.secrets[0].text).verify(told.body, told.headers)
    assert event["type"] == "job.done"
    assert event["data"]["context"] == {"order": 17}
    assert (event["data"]["tags"], event["data"]["status"]) == (["cats"], "DONE")
    (mark,) = await listed(site.storage, delivered_folder(job.id))
    assert delivery.id in mark.key
    (found,) = await site.owed(job)
    assert (found.status, [attempt.status for attempt in found.attempts]) == (Status.DONE, [204])


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500])
async def test_whatever_is_not_2xx_is_a_failure(site: Site, status: int) -> None:
    site.hook.answers["/hook"], site.hook.headers = [status], "Location: /elsewhere\r\n"
    await site.webhook()
    (delivery,) = await site.owed(await site.ended())
    verdict = await site.run(delivery)
    assert isinstance(verdict, Snooze)
    assert not verdict.blameless
    assert verdict.seconds is not None
    assert PAUSES[0] * (1 - JITTER) <= verdict.seconds <= PAUSES[0] * (1 + JITTER)
    assert [one.path for one in site.hook.received] == ["/hook"]


async def test_the_pauses_follow_the_schedule_and_the_last_failure_is_the_end(site: Site) -> None:
    site.hook.answers["/hook"] = [500] * 4
    await site.webhook()
    (delivery,) = await site.owed(job := await site.ended())
    for pause_seconds in PAUSES:
        verdict = await site.run(delivery)
        assert isinstance(verdict, Snooze)
        assert verdict.seconds == pytest.approx(pause_seconds, rel=JITTER)
    verdict = await site.run(delivery)
    assert isinstance(verdict, Failed)
    assert (verdict.error.code, verdict.error.detail) == ("webhook_unavailable", "127.0.0.1 answered 500.")
    assert len({told.headers["webhook-id"] for told in site.hook.received}) == 1
    assert len({told.body for told in site.hook.received}) == 1
    (found,) = await site.owed(job)
    assert [attempt.status for attempt in found.attempts] == [500] * 4


async def test_pauses_differ_a_little(site: Site) -> None:
    await site.webhook()
    pauses = set()
    for _ in range(4):
        site.hook.answers["/hook"] = [500]
        (delivery,) = await site.owed(await site.ended())
        verdict = await site.run(delivery)
        assert isinstance(verdict, Snooze)
        pauses.add(verdict.seconds)
    assert len(pauses) > 1


async def test_retry_after_is_honoured_and_holds_back_what_else_goes_there(site: Site) -> None:
    site.hook.answers["/hook"], site.hook.headers = [503], "Retry-After: 120\r\n"
    await site.webhook()
    (first,), (second,) = await site.owed(await site.ended()), await site.owed(await site.ended())
    verdict = await site.run(first)
    assert isinstance(verdict, Snooze)
    assert verdict.seconds == 120
    held = await site.run(second)
    assert isinstance(held, Snooze)
    assert held.blameless
    assert held.seconds is not None
    assert held.seconds > 119
    assert len(site.hook.received) == 1


async def test_410_ends_the_webhook_and_what_waits_for_it(site: Site) -> None:
    site.hook.answers["/hook"] = [410]
    webhook = await site.webhook()
    first, second = await site.ended(), await site.ended()
    (delivery,), (later,) = await site.owed(first), await site.owed(second)
    verdict = await site.run(delivery)
    assert isinstance(verdict, Failed)
    assert verdict.error.code == "webhook_gone"
    assert isinstance(await site.run(later), Cancelled)
    assert len(site.hook.received) == 1
    (gone,) = site.webhooks.all("shop")
    assert gone.id == webhook.id
    assert gone.gone_at is not None
    assert await site.owed(await site.ended()) == []


async def test_a_url_of_the_cloud_s_metadata_fails_at_once_with_the_reason(site: Site) -> None:
    job = await site.ended(order={"outputs": [], "webhook": "http://169.254.169.254/latest/meta-data"})
    (delivery,) = await site.owed(job)
    verdict = await site.run(delivery)
    assert isinstance(verdict, Failed)
    assert verdict.error.code == "webhook_refused"
    assert "169.254.169.254" in verdict.error.detail
    (found,) = await site.owed(job)
    assert found.attempts[0].error == verdict.error.detail


async def test_a_receiver_that_cannot_be_reached_is_tried_again_and_then_left_alone(site: Site) -> None:
    site.hook.port = 1  # nobody listens there
    site.restart()
    await site.webhook()
    deliveries = [(await site.owed(await site.ended()))[0] for _ in range(MOST_FAILURES + 1)]
    for delivery in deliveries[:-1]:
        verdict = await site.run(delivery)
        assert isinstance(verdict, Snooze)
        assert not verdict.blameless
    held = await site.run(deliveries[-1])
    assert isinstance(held, Snooze)
    assert held.blameless


async def test_what_is_left_alone_for_days_is_given_up(site: Site) -> None:
    job, outcome = await site.stored()
    await site.webhook(moment=outcome.finished_at)
    with patch.object(webhooks_module, "now", lambda: now() - timedelta(seconds=TRIED_SECONDS + 60)):
        await site.outbox.announce(job, outcome)
    (delivery,) = await site.owed(job)
    verdict = await site.run(delivery)
    assert isinstance(verdict, Failed)
    assert verdict.error.code == "webhook_expired"
    assert site.hook.received == []
    assert TRIED_SECONDS < DELIVERY_SECONDS


async def test_for_a_day_both_secrets_sign(site: Site) -> None:
    webhook = await site.webhook()
    newer = await site.webhooks.rotate(webhook, now())
    (delivery,) = await site.owed(await site.ended())
    await site.run(delivery)
    (told,) = site.hook.received
    assert told.headers["webhook-signature"].count("v1,") == 2
    for secret in (webhook.secrets[0].text, newer.text):
        Verifier(secret).verify(told.body, told.headers)
    (rotated,) = site.webhooks.of("shop")
    assert rotated.signing(now() + OVERLAP + timedelta(seconds=1)) == (newer.text,)


async def test_a_deleted_webhook_gets_nothing_more(site: Site) -> None:
    webhook = await site.webhook()
    (delivery,) = await site.owed(await site.ended())
    await site.webhooks.remove(webhook)
    assert isinstance(await site.run(delivery), Cancelled)
    assert site.hook.received == []
    assert await listed(site.storage, "webhooks/") == []


async def test_a_worker_asks_the_storage_for_a_webhook_that_it_does_not_know(site: Site) -> None:
    await site.webhooks.refresh()
    other = Site(site.client, site.storage, site.store, site.attempts, site.hook)
    await other.webhook()
    (delivery,) = await other.owed(await other.ended())
    assert isinstance(await site.run(delivery), Done)


async def test_a_job_that_was_removed_is_told_of_and_nothing_of_it_comes_back(site: Site) -> None:
    await site.webhook()
    job = await site.ended()
    (delivery,) = await site.owed(job)
    await site.storage.remove(job.id)
    assert isinstance(await site.run(delivery), Done)
    (told,) = site.hook.received
    assert told.event["data"] == {"id": job.id, "status": "DONE", "url": f"/jobs/{job.id}"}
    assert await listed(site.storage, delivered_folder(job.id)) == []


async def test_of_a_job_that_was_retried_only_what_happened_is_told(site: Site) -> None:
    await site.webhook()
    job, outcome = await site.stored(Status.FAILED)
    await site.outbox.announce(job, outcome)
    await site.storage.reopen(job.id, outcome.model_dump_json().encode())
    (delivery,) = await site.owed(job)
    assert isinstance(await site.run(delivery), Done)
    (told,) = site.hook.received
    assert told.event["type"] == "job.failed"
    assert "results" not in told.event["data"]


async def test_a_cancelled_job_is_told_of_by_its_own_name(site: Site) -> None:
    await site.webhook("/all")
    await site.webhook("/done", events=(EventType.JOB_DONE,))
    (delivery,) = await site.owed(await site.ended(Status.CANCELLED))
    assert delivery.url == site.hook.url("/all")
    await site.run(delivery)
    assert site.hook.received[0].event["type"] == "job.cancelled"


async def test_the_receiver_can_ask_for_the_job_at_once(site: Site) -> None:
    """Redis learns of the end of a job after the delivery is queued."""
    await site.webhook()
    job, outcome = await site.stored()
    await site.store.add(job)
    await site.outbox.announce(job, outcome)
    (delivery,) = await site.owed(job)
    verdict = await site.run(delivery)
    assert isinstance(verdict, Snooze)
    assert verdict.blameless
    assert site.hook.received == []


async def test_without_a_secret_nothing_is_sent(site: Site) -> None:
    site.secrets = ()
    site.restart()
    job = await site.ended(order={"outputs": [], "webhook": site.hook.url("/own")})
    (delivery,) = await site.owed(job)
    verdict = await site.run(delivery)
    assert isinstance(verdict, Failed)
    assert "WEBHOOK_SECRETS" in verdict.error.detail
    assert site.hook.received == []


async def test_a_job_s_own_url_is_signed_with_the_secrets_of_the_service(site: Site) -> None:
    job = await site.ended(order={"outputs": [], "webhook": site.hook.url("/own")})
    (delivery,) = await site.owed(job)
    await site.run(delivery)
    Verifier(SECRET).verify(site.hook.received[0].body, site.hook.received[0].headers)


async def test_an_answer_is_kept_up_to_a_kilobyte(site: Site) -> None:
    site.hook.answers["/hook"], site.hook.body = [200], b"\xff" + b"x" * 100_000
    await site.webhook()
    job = await site.ended()
    await site.run((await site.owed(job))[0])
    (found,) = await site.owed(job)
    answer = found.attempts[0].answer
    assert answer is not None
    assert len(answer) == 1024


async def owed_again(site: Site, job: Job, redis: Redis) -> int:
    """How many deliveries a repair queues after Redis was lost."""
    await redis.flushall()
    (kept,) = await site.storage.records([job.id])
    assert kept.outcome is not None
    return await site.outbox.restore([(job, Outcome.model_validate_json(kept.outcome))])


async def test_after_redis_is_lost_what_was_not_delivered_is_owed_under_the_same_id(site: Site, redis: Redis) -> None:
    site.hook.answers["/hook"] = [500]
    await site.webhook()
    job = await site.ended()
    (delivery,) = await site.owed(job)
    await site.run(delivery)
    assert await owed_again(site, job, redis) == 1
    (again,) = await site.owed(job)
    assert (again.id, again.attempts) == (delivery.id, ())
    assert isinstance(await site.run(again), Done)
    first, second = site.hook.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert await owed_again(site, job, redis) == 0


async def test_what_failed_for_good_is_not_owed_again(site: Site, redis: Redis) -> None:
    job = await site.ended(order={"outputs": [], "webhook": "http://10.0.0.1/"})
    (delivery,) = await site.owed(job)
    assert isinstance(await site.run(delivery), Failed)
    assert await owed_again(site, job, redis) == 0
