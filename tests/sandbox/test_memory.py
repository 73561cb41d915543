"""The memory budget that renderings share."""

import asyncio

import pytest

from quickthumb.sandbox.memory import Budget, Share


async def waiting(budget: Budget, size_bytes: int) -> "asyncio.Task[Share]":
    """A pending request for a share."""
    task = asyncio.create_task(budget.acquire(size_bytes))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_what_fits_is_granted_at_once() -> None:
    budget = Budget(10)
    await budget.acquire(4)
    await budget.acquire(6)
    assert budget.taken_bytes == 10


async def test_who_does_not_fit_waits_and_nobody_overtakes() -> None:
    budget = Budget(10)
    first = await budget.acquire(6)
    large, small = await waiting(budget, 8), await waiting(budget, 1)
    assert not large.done()
    assert not small.done()
    first.release()
    share = await large
    await small
    assert budget.taken_bytes == 9
    share.release()
    share.release()
    assert budget.taken_bytes == 1


async def test_more_than_there_is_is_granted_alone() -> None:
    budget = Budget(10)
    small = await budget.acquire(1)
    huge = await waiting(budget, 100)
    assert not huge.done()
    small.release()
    share = await huge
    next_one = await waiting(budget, 1)
    assert not next_one.done()
    share.release()
    await next_one


async def test_who_gives_up_waiting_does_not_stand_in_the_way() -> None:
    budget = Budget(10)
    first = await budget.acquire(6)
    large, small = await waiting(budget, 8), await waiting(budget, 1)
    large.cancel()
    await small
    first.release()
    assert budget.taken_bytes == 1


async def test_who_gives_up_just_when_it_is_granted_gives_back() -> None:
    budget = Budget(10)
    first = await budget.acquire(6)
    large = await waiting(budget, 8)
    first.release()
    large.cancel()
    with pytest.raises(asyncio.CancelledError):
        await large
    assert budget.taken_bytes == 0


async def test_an_abandoned_share_is_missing_until_it_is_released() -> None:
    budget = Budget(10)
    lost = await budget.acquire(6)
    large = await waiting(budget, 8)
    lost.abandon()
    share = await large  # more than the 4 that are left, so alone
    four = await waiting(budget, 4)
    share.release()
    await four
    five = await waiting(budget, 5)
    assert not five.done()
    lost.release()
    await five
    assert budget.taken_bytes == 9
