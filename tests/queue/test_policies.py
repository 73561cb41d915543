"""Claims on the uses of policies."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from quickthumb.queue import policies
from quickthumb.queue.errors import PolicyInUse
from quickthumb.queue.keys import KEYS
from quickthumb.queue.policies import PolicyClaims
from tests.waiting import wait_until

DIGEST, OTHER = "d" * 64, "e" * 64


async def test_as_many_are_held_as_there_are_and_no_more(client: Redis, redis: Redis) -> None:
    claims = PolicyClaims(client)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(claims.held(DIGEST, 3))
        with pytest.raises(PolicyInUse):
            async with PolicyClaims(client).held(DIGEST, 3):
                pass
        async with claims.held(OTHER, 1):
            pass
        assert 0 < await redis.pttl(KEYS.policy(DIGEST)) <= 30_000
    assert not await redis.exists(KEYS.policy(DIGEST))


async def test_a_claim_that_nobody_renews_lapses(client: Redis, redis: Redis) -> None:
    await redis.zadd(KEYS.policy(DIGEST), {"of a process that died": 1})
    async with PolicyClaims(client).held(DIGEST, 1):
        assert await redis.zcard(KEYS.policy(DIGEST)) == 1


async def test_a_claim_is_renewed_while_it_is_held(
    client: Redis, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "CLAIM_SECONDS", 0.3)
    async with PolicyClaims(client).held(DIGEST, 1):
        ((_, first),) = await redis.zrange(KEYS.policy(DIGEST), 0, -1, withscores=True)

        async def lasts_longer() -> bool:
            ((_, ends),) = await redis.zrange(KEYS.policy(DIGEST), 0, -1, withscores=True)
            return bool(float(ends) > first + 300)

        await wait_until(lasts_longer, 5)
        with pytest.raises(PolicyInUse):
            async with PolicyClaims(client).held(DIGEST, 1):
                pass


async def test_of_many_at_once_one_holds_the_last(client: Redis) -> None:
    held = asyncio.Event()
    refused = 0

    async def hold() -> None:
        nonlocal refused
        try:
            async with PolicyClaims(client).held(DIGEST, 1):
                await held.wait()
        except PolicyInUse:
            refused += 1
            if refused == 9:
                held.set()

    await asyncio.gather(*(hold() for _ in range(10)))
    assert refused == 9
