"""A cancelled rendering stops: real threads, real images, real child processes."""

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from quickthumb.imaging.engine import Rendering
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.sandbox import syscalls
from quickthumb.sandbox.memory import Budget, Share
from quickthumb.sandbox.process import SandboxProcess
from quickthumb.sandbox.renderer import Renderer
from quickthumb.sandbox.threads import DaemonThreads, Stop
from tests.conftest import picture
from tests.processes import is_alive
from tests.sandbox.test_process import children
from tests.waiting import wait_until

MEBIBYTE = 1024 * 1024
LIMITS = Limits(max_pixels=100_000_000)
EIGHT_LARGE = [
    Output.model_validate({"name": f"large-{number}", "size": "3000x3000", "enlarge": True, "format": "webp"})
    for number in range(8)
]
SMALL = [Output(name="small", width=64)]
HANG, BREED = 14, 18
Way = Callable[[Renderer, Path, Sequence[Output], Path], Coroutine[Any, Any, Rendering]]


class WatchedBudget(Budget):
    """A budget that counts the requests for shares."""

    asked = 0

    async def acquire(self, size_bytes: int, *, is_large: bool = True) -> Share:
        self.asked += 1
        return await super().acquire(size_bytes, is_large=is_large)


class Workshop:
    """A renderer, with the threads and the budget that a cancelled rendering must give back."""

    def __init__(self, threads: int = 1, budget_bytes: int = 10**9) -> None:
        self.threads = DaemonThreads(threads, lambda: None)
        self.budget = WatchedBudget(budget_bytes)
        process = SandboxProcess(seconds=60, memory_bytes=512 * MEBIBYTE)
        self.renderer = Renderer(self.threads, self.budget, process, LIMITS, seconds=120)

    def is_idle(self) -> bool:
        return self.threads.busy == 0 and self.budget.taken_bytes == 0


async def cancelled(task: "asyncio.Task[Rendering]") -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()


def source_of(folder: Path, width: int, height: int) -> Path:
    path = folder / "source.jpg"
    path.write_bytes(picture(width, height))
    return path


def results(folder: Path) -> list[Path]:
    return list(folder.glob("*.webp"))


async def test_a_rendering_stops_before_its_next_output(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shop, source = Workshop(), source_of(tmp_path, 1500, 1500)
    await shop.renderer.in_thread(source, SMALL, tmp_path)  # whatever is opened only once
    open_files = psutil.Process().num_fds()
    task = asyncio.create_task(shop.renderer.in_thread(source, EIGHT_LARGE, tmp_path))
    await wait_until(lambda: bool(results(tmp_path)), seconds=60)
    assert shop.budget.taken_bytes > 0
    await cancelled(task)
    made = len(results(tmp_path))
    await wait_until(shop.is_idle, seconds=60)
    assert len(results(tmp_path)) <= made + 1 < 8
    assert psutil.Process().num_fds() == open_files
    assert (await shop.renderer.in_thread(source, SMALL, tmp_path)).made
    assert not caplog.records


async def test_a_rendering_that_waits_for_memory_never_begins(tmp_path: Path) -> None:
    shop, source = Workshop(budget_bytes=MEBIBYTE), source_of(tmp_path, 100, 100)
    share = await shop.budget.acquire(MEBIBYTE)
    task = asyncio.create_task(shop.renderer.in_thread(source, SMALL, tmp_path))
    await wait_until(lambda: shop.budget.asked == 2)
    await cancelled(task)
    share.release()
    await shop.threads.run(lambda: None, seconds=5)  # the thread has nothing else to do
    assert shop.is_idle()
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("way", [Renderer.in_thread, Renderer.in_process])
async def test_a_rendering_that_waits_for_a_thread_never_begins(tmp_path: Path, way: Way) -> None:
    shop, source, stop = Workshop(), source_of(tmp_path, 100, 100), Stop()
    busy = asyncio.create_task(shop.threads.run(steps(stop, 10**9), seconds=60, stop=stop))
    await wait_until(lambda: shop.threads.busy == 1)
    task = asyncio.create_task(way(shop.renderer, source, SMALL, tmp_path))
    await asyncio.sleep(0)
    await cancelled(task)
    busy.cancel()
    await wait_until(shop.is_idle)
    await shop.threads.run(lambda: None, seconds=5)  # the thread has passed over the cancelled one
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("height", [HANG, BREED])
async def test_a_sandbox_process_is_killed_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, height: int
) -> None:
    if height == BREED and syscalls.is_available():
        pytest.skip("a sandbox process cannot start others here")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "faults"))
    shop, source = Workshop(), source_of(tmp_path, 13, height)
    task = asyncio.create_task(shop.renderer.in_process(source, SMALL, tmp_path))
    family = await family_of(2 if height == BREED else 1)
    await cancelled(task)
    await wait_until(lambda: not any(map(is_alive, family)), seconds=5)
    await wait_until(shop.is_idle, seconds=5)
    assert children() == []
    assert not caplog.records


async def family_of(count: int) -> list[psutil.Process]:
    """The sandbox process and what it started, once these are `count`."""
    found: list[psutil.Process] = []

    def is_complete() -> bool:
        found[:] = [member for child in children() for member in (child, *child.children(recursive=True))]
        return len(found) >= count

    await wait_until(is_complete, seconds=20)
    return found


async def test_a_sandbox_process_that_was_just_started_is_killed(tmp_path: Path) -> None:
    shop, source = Workshop(), source_of(tmp_path, 100, 100)
    for _ in range(5):
        task = asyncio.create_task(shop.renderer.in_process(source, SMALL, tmp_path))
        await wait_until(lambda: shop.threads.busy == 1)
        await cancelled(task)
        await wait_until(shop.is_idle, seconds=20)
        assert children() == []


async def test_a_cancellation_that_races_with_the_end_loses_no_share_and_no_thread() -> None:
    shop, chance = Workshop(threads=3, budget_bytes=100), random.Random(8)
    ends: set[str] = set()

    async def one() -> None:
        share, stop = await shop.budget.acquire(chance.randint(1, 60)), Stop()
        await shop.threads.run(steps(stop, chance.randint(0, 3000)), seconds=60, share=share, stop=stop)

    async def one_that_may_be_cancelled() -> None:
        task = asyncio.create_task(one())
        for _ in range(chance.randint(0, 12)):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        ends.add("cancelled" if task.cancelled() else "done")

    for _ in range(400):
        await asyncio.gather(*(one_that_may_be_cancelled() for _ in range(chance.randint(1, 6))))
    await wait_until(shop.is_idle)
    assert ends == {"cancelled", "done"}
    (await shop.budget.acquire(100)).release()
    all_three = threading.Barrier(3)
    await asyncio.gather(*(shop.threads.run(partial(all_three.wait, 10), seconds=20) for _ in range(3)))


def steps(stop: Stop, count: int) -> Callable[[], None]:
    """Work of `count` short steps."""

    def work() -> None:
        for _ in range(count):
            stop.check()

    return work
