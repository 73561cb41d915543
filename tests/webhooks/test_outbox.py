"""The outbox: what is owed, whoever dies in between and however new the webhook is."""

import pytest

from quickthumb.queue.claims import Claims
from quickthumb.queue.keys import DELIVERY
from quickthumb.storage.errors import StorageUnavailable
from tests.redis_fixtures import a_job
from tests.webhooks.conftest import Site


async def test_whoever_settles_a_job_again_owes_nothing_twice(site: Site) -> None:
    await site.webhook()
    job, outcome = await site.stored()
    await site.outbox.announce(job, outcome)
    await site.outbox.announce(job, outcome)
    assert len(await site.owed(job)) == 1
    assert await site.deliveries.index.statuses([(await site.owed(job))[0].id]) == ["WAITING"]


async def test_a_job_is_told_to_each_webhook_of_its_tenant_and_to_its_own_url(site: Site) -> None:
    one, two = await site.webhook("/one"), await site.webhook("/two")
    await site.webhook("/other", tenant="other")
    job = await site.ended(order={"outputs": [], "webhook": site.hook.url("/own")})
    owed = await site.owed(job)
    assert {delivery.webhook_id for delivery in owed} == {one.id, two.id, None}
    assert {delivery.url for delivery in owed} == {site.hook.url(path) for path in ("/one", "/two", "/own")}


async def test_a_webhook_is_not_told_of_what_was_before_it(site: Site) -> None:
    job, outcome = await site.stored()
    await site.webhook()
    earlier = outcome.model_copy(update={"finished_at": outcome.finished_at.replace(year=2020)})
    await site.outbox.announce(job, earlier)
    assert await site.owed(job) == []


async def test_a_webhook_that_this_process_did_not_know_yet_is_told_all_the_same(site: Site) -> None:
    """Another process has made it a moment before the job ended."""
    await site.outbox.refresh()
    other = Site(site.client, site.storage, site.store, site.attempts, site.hook)
    await other.webhook()
    job = await site.ended()
    assert await site.owed(job) == []
    await site.outbox.refresh()
    assert len(await site.owed(job)) == 1


async def test_a_storage_that_is_away_for_a_moment_changes_nothing_in_that(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.outbox.refresh()
    other = Site(site.client, site.storage, site.store, site.attempts, site.hook)
    await other.webhook()
    job = await site.ended()

    def away(prefix: str) -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(site.storage, "list", away)
        with pytest.raises(StorageUnavailable):
            await site.outbox.refresh()
    await site.outbox.refresh()
    assert len(await site.owed(job)) == 1


async def test_without_webhooks_redis_is_not_asked(site: Site) -> None:
    job, outcome = await site.stored()
    await site.outbox.refresh()
    before = (await site.client.info("commandstats")).get("cmdstat_hset", {}).get("calls", 0)
    started = (await site.client.info("stats"))["total_commands_processed"]
    await site.outbox.announce(job, outcome)
    ended = (await site.client.info("stats"))["total_commands_processed"]
    assert ended - started == 1  # the question itself
    assert (await site.client.info("commandstats")).get("cmdstat_hset", {}).get("calls", 0) == before


async def test_an_event_does_not_wait_behind_a_backlog_of_images(site: Site) -> None:
    for _ in range(200):
        await site.store.add(a_job(age_seconds=60))
    await site.webhook()
    (delivery,) = await site.owed(await site.ended())
    due = await Claims(site.client, lease_seconds=5).claim(2, {site.store.kind: 10, DELIVERY: 10})
    assert due.attempts[0].id == delivery.id
