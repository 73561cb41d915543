"""Threads of which some never come back."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from quickthumb.model.errors import NotServing
from quickthumb.sandbox.budget import Budget
from quickthumb.sandbox.threads import DaemonThreads, LeftBehind
from tests.waiting import wait_until


class Gate:
    """Work that goes on until it is let go."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __call__(self) -> str:
        assert self.open.wait(30)
        return "through"


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


class Alarm:
    def __init__(self) -> None:
        self.rung = 0

    def __call__(self) -> None:
        self.rung += 1


def fail() -> None:
    raise ValueError("no")


async def test_work_is_done_elsewhere_and_answers_or_raises() -> None:
    threads = DaemonThreads(2, Alarm())
    name = await threads.run(lambda: threading.current_thread().name, seconds=5)
    assert name.startswith("picture-")
    with pytest.raises(ValueError, match="no"):
        await threads.run(fail, seconds=5)
    assert threads.busy == 0
    threads.close()


async def test_no_more_are_at_work_than_there_are(gate: Gate) -> None:
    threads = DaemonThreads(2, Alarm())
    calls = [asyncio.create_task(threads.run(gate, seconds=20)) for _ in range(5)]
    await wait_until(lambda: threads.busy == 2)
    gate.open.set()
    assert await asyncio.gather(*calls) == ["through"] * 5


async def test_time_counts_from_the_beginning_of_the_work(gate: Gate) -> None:
    threads = DaemonThreads(1, Alarm())
    first = asyncio.create_task(threads.run(gate, seconds=20))
    second = asyncio.create_task(threads.run(lambda: "quick", seconds=0.1))
    await asyncio.sleep(0.2)
    gate.open.set()
    assert [await first, await second] == ["through", "quick"]
    assert threads.lost == 0


async def test_a_thread_that_hangs_is_left_behind_and_may_come_back(gate: Gate) -> None:
    alarm, budget = Alarm(), Budget(10)
    threads = DaemonThreads(2, alarm)
    with pytest.raises(LeftBehind):
        await threads.run(gate, seconds=0.05, holding=await budget.take(6))
    assert (threads.lost, alarm.rung, budget.taken_bytes) == (1, 0, 0)
    assert await threads.run(lambda: "done", seconds=5) == "done"
    gate.open.set()
    await wait_until(lambda: threads.lost == 0)
    await budget.take(10)
    assert budget.taken_bytes == 10


async def test_when_the_last_thread_is_lost_all_others_are_turned_away(gate: Gate) -> None:
    alarm, budget = Alarm(), Budget(10)
    threads = DaemonThreads(1, alarm)
    hanging = asyncio.create_task(threads.run(gate, seconds=0.1))
    share = await budget.take(5)
    waiting = asyncio.create_task(threads.run(lambda: "done", seconds=5, holding=share))
    with pytest.raises(LeftBehind):
        await hanging
    with pytest.raises(NotServing):
        await waiting
    with pytest.raises(NotServing):
        await threads.run(lambda: "done", seconds=5)
    assert (threads.all_lost, alarm.rung, budget.taken_bytes) == (True, 1, 0)


async def test_work_that_nobody_waits_for_any_more_keeps_what_it_holds_to_its_end(gate: Gate) -> None:
    threads, budget = DaemonThreads(1, Alarm()), Budget(10)
    begun = asyncio.create_task(threads.run(gate, seconds=20, holding=await budget.take(4)))
    never_begun = asyncio.create_task(threads.run(gate, seconds=20, holding=await budget.take(3)))
    await wait_until(lambda: threads.busy == 1)
    begun.cancel()
    never_begun.cancel()
    await asyncio.wait({begun, never_begun})
    assert budget.taken_bytes == 7
    gate.open.set()
    await wait_until(lambda: budget.taken_bytes == 0)


async def test_an_idle_thread_keeps_nothing_alive() -> None:
    class Picture:
        pass

    threads = DaemonThreads(1, Alarm())
    picture = await threads.run(Picture, seconds=5)
    gone = weakref.ref(picture)
    del picture
    gc.collect()
    await wait_until(lambda: gone() is None)
