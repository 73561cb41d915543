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


async def test_an_open_share_takes_what_is_free_at_once_from_any_thread() -> None:
    budget = Budget(10)
    first, second = budget.open_share(), budget.open_share()
    assert budget.taken_bytes == 0
    assert await asyncio.to_thread(first.take, 8)
    assert not await asyncio.to_thread(second.take, 3)
    assert budget.taken_bytes == 8
    second.release()
    first.release()
    assert budget.taken_bytes == 0


async def test_an_open_share_overtakes_no_small_request_that_waits() -> None:
    budget = Budget(10)
    first = await budget.acquire(8)
    small = await waiting(budget, 5, is_large=False)
    share = budget.open_share()
    assert not share.take(1)
    first.release()
    await small
    assert share.take(1)


async def test_an_abandoned_share_takes_nothing_any_more() -> None:
    budget = Budget(10)
    share = budget.open_share()
    share.abandon()
    assert not share.take(4)
    share.release()
    await budget.acquire(10)
    assert budget.taken_bytes == 10


async def test_threads_and_the_loop_never_take_more_than_there_is() -> None:
    budget = Budget(0, reserve_bytes=10)
    most = 0

    def take(share: Share) -> bool:
        nonlocal most
        is_taken = share.take(3)
        most = max(most, budget.taken_bytes)
        return is_taken

    for _ in range(50):
        shares = [budget.open_share() for _ in range(6)]
        granted = await asyncio.gather(*(asyncio.to_thread(take, share) for share in shares))
        assert sum(granted) == 3
        for share in shares:
            share.release()
    assert (most, budget.taken_bytes) == (9, 0)
