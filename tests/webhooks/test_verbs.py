"""The verbs on webhooks: tenants, limits, rotation, lists and replays."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from quickthumb.model.caller import Caller
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.job import Status, now
from quickthumb.model.webhook import CHOICES, MOST_SIGNING, EventType, Webhook
from quickthumb.notify.errors import WebhookRefused
from quickthumb.service.deliveries import Choice, Listing
from quickthumb.service.errors import TooManyWebhooks, UnknownDelivery, UnknownJob, UnknownWebhook
from quickthumb.service.webhooks import MOST_WEBHOOKS
from quickthumb.work.handler import Done, Failed
from tests.redis_fixtures import a_job
from tests.storage.jobs import listed
from tests.webhooks.conftest import CALLER, Site

OTHER = Caller(tenant="other")


async def made(site: Site, caller: Caller = CALLER) -> Webhook:
    return await site.service.create(caller, site.hook.url("/hook"), CHOICES, "for tests")


@pytest.mark.parametrize("url", ["ftp://example.org/", "https://user:secret@example.org/", "https://", "https://1/"])
async def test_a_url_that_can_never_be_used_makes_no_webhook(site: Site, url: str) -> None:
    with pytest.raises(WebhookRefused) as raised:
        await site.service.create(CALLER, url, CHOICES, "")
    assert raised.value.field == "url"


async def test_a_tenant_has_so_many_webhooks_at_most(site: Site) -> None:
    for _ in range(MOST_WEBHOOKS):
        webhook = await made(site)
    with pytest.raises(TooManyWebhooks):
        await made(site)
    await made(site, OTHER)
    await site.service.remove(CALLER, webhook.id)
    await made(site)


async def test_another_tenant_sees_and_changes_nothing(site: Site) -> None:
    webhook = await made(site)
    job = await site.ended()
    (delivery,) = await site.owed(job)
    assert await site.service.all(OTHER) == []
    for refused in (
        site.service.find(OTHER, webhook.id),
        site.service.rotate(OTHER, webhook.id),
        site.service.remove(OTHER, webhook.id),
        site.service.test(OTHER, webhook.id),
        site.service.deliveries(OTHER, webhook.id),
        site.service.replay_many(OTHER, webhook.id, Choice(now(), now())),
    ):
        with pytest.raises(UnknownWebhook):
            await refused
    with pytest.raises(UnknownDelivery):
        await site.service.replay(OTHER, delivery.id)
    with pytest.raises(UnknownJob):
        await site.service.deliveries_of_job(OTHER, job.id)
    assert len((await site.service.deliveries(CALLER, webhook.id)).deliveries) == 1


@pytest.mark.parametrize("webhook_id", ["", "x", "../keys/abc", "0" * 32])
async def test_an_unknown_id_is_unknown(site: Site, webhook_id: str) -> None:
    with pytest.raises(UnknownWebhook):
        await site.service.find(CALLER, webhook_id)
    with pytest.raises(UnknownDelivery):
        await site.service.replay(CALLER, webhook_id)


async def test_however_often_the_secret_is_replaced_only_the_latest_sign(site: Site) -> None:
    webhook = await made(site)
    for _ in range(5):
        webhook, secret = await site.service.rotate(CALLER, webhook.id)
    (kept,) = await site.service.all(CALLER)
    assert len(kept.signing(now())) == MOST_SIGNING
    assert secret.text in kept.signing(now())
    assert len(await listed(site.storage, "webhooks/")) <= 1 + MOST_SIGNING


async def test_of_two_that_replace_the_secret_at_once_both_get_one_that_signs(site: Site) -> None:
    webhook = await made(site)
    replaced = await asyncio.gather(*(site.service.rotate(CALLER, webhook.id) for _ in range(2)))
    (kept,) = await site.service.all(CALLER)
    assert {secret.text for _, secret in replaced} <= set(kept.signing(now()))


async def test_a_webhook_that_is_gone_is_shown_until_it_is_deleted(site: Site) -> None:
    site.hook.answers["/hook"] = [410]
    webhook = await made(site)
    (delivery,) = await site.owed(await site.ended())
    await site.run(delivery)
    (shown,) = await site.service.all(CALLER)
    assert shown.gone_at is not None
    assert len((await site.service.deliveries(CALLER, webhook.id)).deliveries) == 1
    for refused in (site.service.rotate(CALLER, webhook.id), site.service.test(CALLER, webhook.id)):
        with pytest.raises(UnknownWebhook):
            await refused
    with pytest.raises(UnknownWebhook):
        await site.service.replay(CALLER, delivery.id)
    await site.service.remove(CALLER, webhook.id)
    assert await site.service.all(CALLER) == []


async def test_one_delivery_is_replayed_with_the_same_message_id(site: Site) -> None:
    await made(site)
    job = await site.ended()
    (delivery,) = await site.owed(job)
    await site.run(delivery)
    again = await site.service.replay(CALLER, delivery.id)
    assert again.id != delivery.id
    assert isinstance(await site.run(again), Done)
    first, second = site.hook.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    await site.store.add(a_job(id=job.id, tenant="shop"))
    assert [one.id for one in (await site.service.deliveries_of_job(CALLER, job.id)).deliveries] == [
        again.id,
        delivery.id,
    ]


async def test_of_a_range_what_was_never_delivered_is_replayed_once(site: Site) -> None:
    webhook = await made(site)
    started = now()
    site.hook.answers["/hook"] = [204, *[500] * 4, *[500] * 4]
    (fine,), (failed,), (mended,) = [await site.owed(await site.ended()) for _ in range(3)]
    (waiting,) = await site.owed(await site.ended())
    await site.run(fine)
    for delivery in (failed, mended):
        while not isinstance(await site.run(delivery), Failed):
            pass
    # One of those that failed has been delivered since.
    assert isinstance(await site.run(await site.service.replay(CALLER, mended.id)), Done)
    span = (started, now() + timedelta(seconds=1))
    (again,) = await site.service.replay_many(CALLER, webhook.id, Choice(*span))
    assert again.message_id == failed.message_id
    # What is being delivered is left alone.
    assert await site.service.replay_many(CALLER, webhook.id, Choice(*span)) == []
    every = await site.service.replay_many(CALLER, webhook.id, Choice(*span, only_failed=False))
    assert {one.message_id for one in every} == {fine.message_id, mended.message_id}
    assert waiting.message_id not in {one.message_id for one in every}
    before = started - timedelta(days=1)
    assert await site.service.replay_many(CALLER, webhook.id, Choice(before, before, only_failed=False)) == []


async def test_a_job_s_deliveries_are_known_when_redis_has_forgotten_them(site: Site) -> None:
    await made(site)
    job = await site.ended()
    (delivery,) = await site.owed(job)
    await site.run(delivery)
    await site.client.flushall()
    await site.store.add(job)
    (kept,) = (await site.service.deliveries_of_job(CALLER, job.id)).deliveries
    assert (kept.id, kept.status, kept.attempts[0].status) == (delivery.id, Status.DONE, 204)


async def test_types_and_the_last_status_say_what_is_replayed(site: Site) -> None:
    webhook = await made(site)
    started = now()
    site.hook.answers["/hook"] = [204, *[500] * 4]
    (done,), (failed,), (cancelled,) = [
        await site.owed(await site.ended(status)) for status in (Status.DONE, Status.FAILED, Status.CANCELLED)
    ]
    await site.run(done)
    while not isinstance(await site.run(failed), Failed):
        pass
    await site.run(cancelled)
    span = (started, now() + timedelta(seconds=1))

    async def chosen(**words: Any) -> list[str]:
        return [one.event.value for one in Choice(*span, **words).of(await site.deliveries.of(webhook.id))]

    assert await chosen() == ["job.failed"]
    assert await chosen(only_failed=False) == ["job.done", "job.failed", "job.cancelled"]
    assert await chosen(events=frozenset({EventType.JOB_DONE})) == []
    assert await chosen(only_failed=False, events=frozenset({EventType.JOB_DONE})) == ["job.done"]
    assert await chosen(status=Status.FAILED) == ["job.failed"]
    assert await chosen(status=Status.DONE) == ["job.done", "job.cancelled"]
    (again,) = await site.service.replay_many(CALLER, webhook.id, Choice(*span, status=Status.FAILED))
    assert again.message_id == failed.message_id
    # It is being delivered now.
    assert await chosen(status=Status.FAILED) == []


async def test_deliveries_are_listed_in_pages(site: Site) -> None:
    webhook = await made(site)
    deliveries = [(await site.owed(await site.ended()))[0] for _ in range(5)]
    for delivery in deliveries[:2]:
        await site.run(delivery)
    newest_first = sorted(deliveries, key=lambda one: (one.created_at, one.id), reverse=True)
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await site.service.deliveries(CALLER, webhook.id, Listing(limit=2, cursor=cursor))
        found += [one.id for one in page.deliveries]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == [one.id for one in newest_first]
    done = await site.service.deliveries(CALLER, webhook.id, Listing(Status.DONE, limit=2))
    assert {one.id for one in done.deliveries} == {one.id for one in deliveries[:2]}
    assert done.cursor is None
    for cursor in ("", "x", "1-", f"1-{'0' * 31}", "-1", "٣-" + "0" * 32):
        with pytest.raises(InvalidParameter):
            await site.service.deliveries(CALLER, webhook.id, Listing(cursor=cursor))
