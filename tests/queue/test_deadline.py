"""One limit for many waits."""

import asyncio

from quickthumb.queue.deadline import Deadline
from tests.waiting import wait_until


async def test_a_wait_that_lasts_is_ended() -> None:
    ended = asyncio.Event()
    deadline = Deadline(0.05, ended.set)
    with deadline:
        assert not deadline.passed
        await ended.wait()
    assert deadline.passed
    with deadline:
        assert not deadline.passed


async def test_each_wait_has_all_of_its_time() -> None:
    loop, ends = asyncio.get_running_loop(), list[float]()
    deadline = Deadline(0.2, lambda: ends.append(loop.time()))
    for _ in range(3):
        with deadline:
            await asyncio.sleep(0.1)
    began = loop.time()
    with deadline:
        await wait_until(lambda: bool(ends))
    assert len(ends) == 1
    assert ends[0] >= began + 0.19


async def test_between_two_waits_nothing_is_ended() -> None:
    ends = list[None]()
    deadline = Deadline(0.05, lambda: ends.append(None))
    with deadline:
        pass
    await asyncio.sleep(0.1)
    assert not ends


async def test_without_a_limit_nothing_is_ended() -> None:
    ends = list[None]()
    with Deadline(None, lambda: ends.append(None)):
        await asyncio.sleep(0.05)
    assert not ends
