"""Webhooks and deliveries, by both clients."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quickthumb.client import Problem, Status, Unreachable
from tests.client.between import Fault, between
from tests.client.conftest import Opened
from tests.client.test_clients import once

URL = "https://hooks.example.com/quickthumb"


async def test_a_webhook_from_its_making_to_its_end(opened: Opened, idle: str, photo: Path) -> None:
    client = opened(idle)
    webhooks = client.webhooks
    made = await webhooks.create(URL, events=["job.cancelled"], description="a shop")
    assert (made.url, made.events, made.description, made.gone_at) == (URL, ("job.cancelled",), "a shop", None)
    assert made.secret.startswith("whsec_")
    (listed,) = [one for one in await webhooks.all() if one.id == made.id]
    assert listed.secret is None
    assert (await webhooks.rotate(made)).secret not in (None, made.secret)
    test = await webhooks.test(made.id)
    assert (test.event, test.webhook_id, test.status, test.attempts) == ("endpoint.test", made.id, Status.WAITING, ())
    job = await client.cancel(await client.upload(photo))
    (told,) = await webhooks.deliveries_of_job(job)
    assert (told.event, told.job_id, told.url, told.error) == ("job.cancelled", job.id, URL, None)
    assert {one.id for one in await webhooks.deliveries(made)} == {test.id, told.id}
    again = await webhooks.replay(told)
    assert (again.message_id, again.id != told.id) == (told.message_id, True)
    await client.delete(job)
    moment = datetime.now(UTC)
    assert await webhooks.replay_many(made, moment - timedelta(hours=1), moment) == ()
    with between(idle) as proxy:
        proxy.choose = once("DELETE /webhooks/", Fault.UNANSWERED)
        await opened(proxy.url).webhooks.delete(made)
    assert made.id not in {one.id for one in await webhooks.all()}
    with pytest.raises(Problem) as refused:
        await webhooks.test(made)
    assert refused.value.code == "unknown_webhook"


async def test_making_a_webhook_is_not_tried_again(opened: Opened, idle: str) -> None:
    webhooks = opened(idle).webhooks
    with between(idle) as proxy:
        proxy.choose = once("POST /webhooks", Fault.UNANSWERED)
        with pytest.raises(Unreachable):
            await opened(proxy.url).webhooks.create(URL)
        assert proxy.count("POST /webhooks") == 1
    (made,) = await webhooks.all()
    await webhooks.delete(made)
