"""The pool of threads, some of which never finish; and the number of cores that a process may use."""

import asyncio
import gc
import os
import threading
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from quickthumb.model.errors import NotServing
from quickthumb.sandbox.memory import Budget
from quickthumb.sandbox.threads import DaemonThreads, Stop, Stopped, ThreadAbandoned, available_cores
from tests.waiting import wait_until


class Gate:
    """Work that runs until the test opens the gate."""

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
    assert threads.abandoned == 0


async def test_a_thread_that_hangs_is_abandoned_and_may_finish(gate: Gate) -> None:
    alarm, budget = Alarm(), Budget(10)
    threads = DaemonThreads(2, alarm)
    with pytest.raises(ThreadAbandoned):
        await threads.run(gate, seconds=0.05, share=await budget.acquire(6))
    assert (threads.abandoned, alarm.rung, budget.taken_bytes) == (1, 0, 0)
    assert await threads.run(lambda: "done", seconds=5) == "done"
    gate.open.set()
    await wait_until(lambda: threads.abandoned == 0)
    await budget.acquire(10)
    assert budget.taken_bytes == 10


async def test_when_the_last_thread_is_abandoned_all_others_are_turned_away(gate: Gate) -> None:
    alarm, budget = Alarm(), Budget(10)
    threads = DaemonThreads(1, alarm)
    hanging = asyncio.create_task(threads.run(gate, seconds=0.1))
    share = await budget.acquire(5)
    waiting = asyncio.create_task(threads.run(lambda: "done", seconds=5, share=share))
    with pytest.raises(ThreadAbandoned):
        await hanging
    with pytest.raises(NotServing):
        await waiting
    with pytest.raises(NotServing):
        await threads.run(lambda: "done", seconds=5)
    assert (threads.all_abandoned, alarm.rung, budget.taken_bytes) == (True, 1, 0)


async def test_work_that_nobody_waits_for_any_more_keeps_what_it_holds_to_its_end_if_it_has_begun(gate: Gate) -> None:
    threads, budget = DaemonThreads(1, Alarm()), Budget(10)
    begun = asyncio.create_task(threads.run(gate, seconds=20, share=await budget.acquire(4)))
    never_begun = asyncio.create_task(threads.run(gate, seconds=20, share=await budget.acquire(3)))
    await wait_until(lambda: threads.busy == 1)
    begun.cancel()
    never_begun.cancel()
    await asyncio.wait({begun, never_begun})
    assert budget.taken_bytes == 4
    gate.open.set()
    await wait_until(lambda: budget.taken_bytes == 0)


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_large_work_leaves_a_thread_to_small_work(gate: Gate, count: int) -> None:
    threads = DaemonThreads(count, Alarm())
    large = [asyncio.create_task(threads.run(gate, seconds=20, is_large=True)) for _ in range(count + 2)]
    await wait_until(lambda: threads.busy == count)
    for _ in range(20):
        assert await threads.run(lambda: "small", seconds=5) == "small"
    assert threads.busy == count
    gate.open.set()
    assert await asyncio.gather(*large) == ["through"] * (count + 2)


async def test_large_work_in_the_place_of_an_abandoned_thread_does_not_hold_up_the_end(gate: Gate) -> None:
    alarm = Alarm()
    threads = DaemonThreads(2, alarm)
    hanging = [asyncio.create_task(threads.run(gate, seconds=seconds, is_large=True)) for seconds in (0.05, 0.5)]
    third = asyncio.create_task(threads.run(gate, seconds=60, is_large=True))
    with pytest.raises(ThreadAbandoned):
        await hanging[0]
    await wait_until(lambda: threads.busy == 3)
    with pytest.raises(ThreadAbandoned):
        await hanging[1]
    with pytest.raises(NotServing):
        await third
    assert (alarm.rung, threads.busy) == (1, 3)


async def test_a_thread_takes_the_place_of_an_abandoned_one(gate: Gate) -> None:
    threads = DaemonThreads(2, Alarm())
    with pytest.raises(ThreadAbandoned):
        await threads.run(gate, seconds=0.05, is_large=True)
    second = Gate()
    large = [asyncio.create_task(threads.run(second, seconds=20, is_large=True)) for _ in range(2)]
    await wait_until(lambda: threads.busy == 3)
    assert await threads.run(lambda: "small", seconds=5) == "small"
    gate.open.set()
    second.open.set()
    assert await asyncio.gather(*large) == ["through"] * 2
    await wait_until(lambda: threads.busy == 0)
    names = {await threads.run(lambda: threading.current_thread().name, seconds=5) for _ in range(20)}
    assert len(names) <= 3


async def test_cancelled_large_work_that_waits_gives_its_memory_back_at_once(gate: Gate) -> None:
    threads, budget = DaemonThreads(2, Alarm()), Budget(10)
    first = asyncio.create_task(threads.run(gate, seconds=20, is_large=True))
    await wait_until(lambda: threads.busy == 1)
    second = asyncio.create_task(threads.run(gate, seconds=20, share=await budget.acquire(4), is_large=True))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait({second})
    assert budget.taken_bytes == 0
    gate.open.set()
    assert await first == "through"


async def test_an_idle_thread_keeps_nothing_alive() -> None:
    class Picture:
        pass

    threads = DaemonThreads(1, Alarm())
    picture = await threads.run(Picture, seconds=5)
    gone = weakref.ref(picture)
    del picture
    gc.collect()
    await wait_until(lambda: gone() is None)


async def test_abandoned_work_is_asked_to_stop() -> None:
    threads, stop = DaemonThreads(1, lambda: None), Stop()
    with pytest.raises(ThreadAbandoned):
        await threads.run(partial(go_on, stop), seconds=0.05, stop=stop)
    await wait_until(lambda: threads.busy == 0)
    assert threads.abandoned == 0


async def test_cancelled_work_is_asked_to_stop_and_is_no_cause_for_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    threads, stop, budget = DaemonThreads(1, Alarm()), Stop(), Budget(10)
    work = threads.run(partial(go_on, stop), seconds=20, share=await budget.acquire(4), stop=stop)
    call = asyncio.create_task(work)
    await wait_until(lambda: threads.busy == 1)
    call.cancel()
    await wait_until(lambda: threads.busy == 0)
    assert call.cancelled()
    assert budget.taken_bytes == 0
    assert await threads.run(lambda: "next", seconds=5) == "next"
    assert not caplog.records


async def test_work_without_steps_is_still_abandoned_after_it_was_cancelled(gate: Gate) -> None:
    threads, budget = DaemonThreads(2, Alarm()), Budget(10)
    call = asyncio.create_task(threads.run(gate, seconds=0.3, share=await budget.acquire(4)))
    await wait_until(lambda: threads.busy == 1)
    call.cancel()
    await wait_until(call.cancelled)
    assert (threads.abandoned, budget.taken_bytes) == (0, 4)
    await wait_until(lambda: threads.abandoned == 1)
    assert budget.taken_bytes == 0
    gate.open.set()
    await wait_until(lambda: threads.busy == 0)


async def test_cancelled_work_that_still_waits_for_a_thread_never_begins(gate: Gate) -> None:
    threads, budget, began = DaemonThreads(1, Alarm()), Budget(10), threading.Event()
    first = asyncio.create_task(threads.run(gate, seconds=20))
    second = asyncio.create_task(threads.run(began.set, seconds=20, share=await budget.acquire(4)))
    await wait_until(lambda: threads.busy == 1)
    second.cancel()
    await wait_until(second.cancelled)
    gate.open.set()
    assert await first == "through"
    assert await threads.run(lambda: "next", seconds=5) == "next"
    assert not began.is_set()
    assert budget.taken_bytes == 0


def go_on(stop: Stop) -> None:
    """Work of many steps: it ends when it is stopped, or after 20 s."""
    for _ in range(20_000):
        stop.check()
        threading.Event().wait(0.001)


def test_a_stop_calls_back_within_the_block_only() -> None:
    stop, alarm, late = Stop(), Alarm(), Alarm()
    stop.check()
    with stop.calling(Alarm()):
        pass
    with stop.calling(alarm):
        stop.ask()
        stop.ask()
    with pytest.raises(Stopped):
        stop.check()
    with stop.calling(late):
        assert late.rung == 1
    assert (alarm.rung, late.rung) == (1, 1)


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of a known size."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("1000 100000\n", 1),
        ("3200000 100000\n", 8),
        ("200000", 8),
        ("", 8),
        ("nonsense here\n", 8),
        ("100000 0\n", 8),
        ("0 100000\n", 8),
    ],
)
def test_a_container_gets_what_its_quota_says(tmp_path: Path, quota: str, cores: int) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert available_cores(file) == cores


@pytest.mark.usefixtures("eight_cores")
def test_without_a_quota_it_is_the_cores_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_cores(tmp_path / "none") == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert available_cores(tmp_path / "none") == 1


@pytest.mark.usefixtures("eight_cores")
def test_where_there_is_no_affinity_it_is_the_cores_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert available_cores(tmp_path / "none") == 4
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores(tmp_path / "none") == 1
