"""How many emails are admitted within an hour, on a real Redis."""

import asyncio

import pytest
from redis.asyncio import Redis

from quickthumb.model.job import new_id
from quickthumb.queue.keys import KEYS
from quickthumb.queue.rates import EmailRates, UsedUp

HOUR_SECONDS = 3600


@pytest.fixture
def rates(client: Redis) -> EmailRates:
    return EmailRates(client, most=5, most_per_mailbox=2)


async def grow_older(redis: Redis, rate: str, seconds: float) -> None:
    """Makes what was counted for a rate that much older."""
    for email_id, counted_ms in await redis.zrange(rate, 0, -1, withscores=True):
        await redis.zadd(rate, {email_id: counted_ms - seconds * 1000})


async def test_each_recipient_has_a_rate(rates: EmailRates) -> None:
    assert [await rates.count(new_id(), "ada@example.com") for _ in range(2)] == [None, None]
    used_up = await rates.count(new_id(), "ada@example.com")
    assert used_up is not None
    assert used_up.for_recipient
    assert HOUR_SECONDS - 60 < used_up.seconds <= HOUR_SECONDS
    assert await rates.count(new_id(), "bob@example.com") is None


async def test_all_together_have_a_rate(rates: EmailRates) -> None:
    for number in range(5):
        assert await rates.count(new_id(), f"{number}@example.com") is None
    used_up = await rates.count(new_id(), "ada@example.com")
    assert used_up is not None
    assert not used_up.for_recipient


async def test_side_by_side_no_more_are_admitted(rates: EmailRates) -> None:
    counted = await asyncio.gather(*(rates.count(new_id(), "ada@example.com") for _ in range(20)))
    assert counted.count(None) == 2


async def test_an_hour_later_there_is_room_again_for_as_many_as_have_left(rates: EmailRates, redis: Redis) -> None:
    await rates.count(new_id(), "ada@example.com")
    await grow_older(redis, KEYS.email_rate("ada@example.com"), 600)
    await rates.count(new_id(), "ada@example.com")
    used_up = await rates.count(new_id(), "ada@example.com")
    assert used_up is not None
    assert used_up.seconds == pytest.approx(HOUR_SECONDS - 600, abs=60)
    await grow_older(redis, KEYS.email_rate("ada@example.com"), 3001)
    assert await rates.count(new_id(), "ada@example.com") is None
    assert await rates.count(new_id(), "ada@example.com") is not None


async def test_a_rate_that_was_lowered_holds_for_what_was_counted_before(client: Redis, rates: EmailRates) -> None:
    for _ in range(2):
        await rates.count(new_id(), "ada@example.com")
    lower = EmailRates(client, most=1, most_per_mailbox=1)
    assert isinstance(await lower.count(new_id(), "ada@example.com"), UsedUp)


async def test_what_is_counted_again_or_taken_back_takes_no_room(rates: EmailRates) -> None:
    email_id = new_id()
    for _ in range(5):
        assert await rates.count(email_id, "ada@example.com") is None
    assert await rates.count(new_id(), "ada@example.com") is None
    await rates.forget(email_id, "ada@example.com")
    assert await rates.count(new_id(), "ada@example.com") is None


async def test_nothing_is_kept_for_longer_and_no_address_is_shown(rates: EmailRates, redis: Redis) -> None:
    await rates.count(new_id(), "ada@example.com")
    keys = await redis.keys("*")
    assert len(keys) == 2
    assert not any(b"ada" in key for key in keys)
    for key in keys:
        assert 0 < await redis.ttl(key) <= HOUR_SECONDS
