"""The memory budget that renderings share."""

import asyncio

import pytest

from quickthumb.sandbox.memory import Budget, Share


async def waiting(budget: Budget, size_bytes: int, *, is_large: bool = True) -> "asyncio.Task[Share]":
    """A pending request for a share."""
    task = asyncio.create_task(budget.acquire(size_bytes, is_large=is_large))
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


async def test_small_requests_overtake_large_ones_within_the_reserve() -> None:
    budget = Budget(100, reserve_bytes=10)
    first = await budget.acquire(90)
    large = await waiting(budget, 50)
    small = [await waiting(budget, 5, is_large=False) for _ in range(3)]
    assert [task.done() for task in (large, *small)] == [False, True, True, False]
    (await small[0]).release()
    await small[2]
    first.release()
    await large
    assert budget.taken_bytes == 60


async def test_small_requests_may_use_what_no_large_one_waits_for() -> None:
    budget = Budget(100, reserve_bytes=10)
    small = [await budget.acquire(10, is_large=False) for _ in range(11)]
    one_more = await waiting(budget, 10, is_large=False)
    assert not one_more.done()
    small[0].release()
    await one_more
    assert budget.taken_bytes == 110


async def test_a_large_request_starves_under_no_stream_of_small_ones() -> None:
    budget = Budget(100, reserve_bytes=10)
    small = [await budget.acquire(10, is_large=False) for _ in range(6)]
    large = await waiting(budget, 100)
    late = await waiting(budget, 10, is_large=False)
    for share in small[:-1]:
        assert not large.done()
        share.release()
        await asyncio.sleep(0)
    await large
    assert not late.done()
    small[-1].release()
    await late
    assert budget.taken_bytes == 110


async def test_a_small_request_that_gives_up_leaves_nothing() -> None:
    budget = Budget(100, reserve_bytes=10)
    await budget.acquire(100)
    await budget.acquire(8, is_large=False)
    small = await waiting(budget, 5, is_large=False)
    small.cancel()
    with pytest.raises(asyncio.CancelledError):
        await small
    assert budget.taken_bytes == 108
