"""The verbs on webhooks: tenants, limits, rotation, lists and replays."""

import asyncio
from datetime import timedelta

import pytest

from quickthumb.model.caller import Caller
from quickthumb.model.job import Status, now
from quickthumb.model.webhook import CHOICES, MOST_SIGNING, Webhook
from quickthumb.notify.errors import WebhookRefused
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
        site.service.replay_many(OTHER, webhook.id, now(), now(), only_failed=False),
    ):
        with pytest.raises(UnknownWebhook):
            await refused
    with pytest.raises(UnknownDelivery):
        await site.service.replay(OTHER, delivery.id)
    with pytest.raises(UnknownJob):
        await site.service.deliveries_of_job(OTHER, job.id)
    assert len(await site.service.deliveries(CALLER, webhook.id)) == 1


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
    assert len(await site.service.deliveries(CALLER, webhook.id)) == 1
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
    assert [one.id for one in await site.service.deliveries_of_job(CALLER, job.id)] == [again.id, delivery.id]


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
    (again,) = await site.service.replay_many(CALLER, webhook.id, *span, only_failed=True)
    assert again.message_id == failed.message_id
    # What is being delivered is left alone.
    assert await site.service.replay_many(CALLER, webhook.id, *span, only_failed=True) == []
    every = await site.service.replay_many(CALLER, webhook.id, *span, only_failed=False)
    assert {one.message_id for one in every} == {fine.message_id, mended.message_id}
    assert waiting.message_id not in {one.message_id for one in every}
    before = started - timedelta(days=1)
    assert await site.service.replay_many(CALLER, webhook.id, before, before, only_failed=False) == []


async def test_a_job_s_deliveries_are_known_when_redis_has_forgotten_them(site: Site) -> None:
    await made(site)
    job = await site.ended()
    (delivery,) = await site.owed(job)
    await site.run(delivery)
    await site.client.flushall()
    await site.store.add(job)
    (kept,) = await site.service.deliveries_of_job(CALLER, job.id)
    assert (kept.id, kept.status, kept.attempts[0].status) == (delivery.id, Status.DONE, 204)
