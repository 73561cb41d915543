"""What an upload costs: small ones wait in memory and are written, synced and placed in one visit to a thread."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from quickthumb.model.job import new_id
from quickthumb.storage import FileStorage, durability
from quickthumb.storage.arrivals import MOST_HELD_EACH_BYTES, Memory
from tests.storage.jobs import Break, Left, content, keep

BLOCK = bytes(1024 * 1024)
SMALL = BLOCK[:100_000]


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[Callable[..., Any]]:
    """What was handed to a thread, in order."""
    handed: list[Callable[..., Any]] = []
    hand = ThreadPoolExecutor.submit

    def counting(threads: ThreadPoolExecutor, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        handed.append(work)
        return hand(threads, work, *args, **kwargs)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", counting)
    return handed


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was synced, in order."""
    names: list[str] = []

    def noting(sync: Callable[[int], None]) -> Callable[[int], None]:
        def note(descriptor: int) -> None:
            names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
            sync(descriptor)

        return note

    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, noting(getattr(os, name)))
    return names


async def test_a_small_upload_is_on_the_disk_only_once_it_is_kept(storage: FileStorage, left: Left) -> None:
    job_id = new_id()
    async with storage.receive(job_id) as arrival:
        for _ in range(MOST_HELD_EACH_BYTES // len(BLOCK)):
            await arrival.write(BLOCK)
        assert left() == []
        await arrival.keep(b"record")
        assert left() == [f"uploads/{job_id[:3]}/{job_id}/{name}" for name in ("job.json", "source")]


async def test_a_small_upload_costs_one_hop_to_a_thread(storage: FileStorage, hops: list[Callable[..., Any]]) -> None:
    await keep(storage, SMALL)
    assert len(hops) == 1
    async with storage.receive(new_id()) as arrival:
        await arrival.write(SMALL)
    assert len(hops) == 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to name what is synced")
async def test_four_syncs_keep_an_upload_in_an_order_that_no_crash_can_harm(
    storage: FileStorage, synced: list[str]
) -> None:
    await keep(storage, SMALL, job_id="5f0" + "a" * 29)  # makes the folders
    synced.clear()
    job_id = "5f0" + "c" * 29
    await keep(storage, SMALL, job_id=job_id)
    assert synced == ["source", "job.json", job_id, "5f0"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to name what is synced")
async def test_one_sync_makes_sixteen_shards_last(storage: FileStorage, synced: list[str]) -> None:
    await keep(storage, SMALL, job_id="a" * 32)  # makes the other folders
    synced.clear()
    for digit in "0123456789abcdef":
        await keep(storage, SMALL, job_id=f"5f{digit}{'a' * 29}")
    assert synced.count("uploads") == 1
    await keep(storage, SMALL, job_id="5e0" + "a" * 29)
    assert synced.count("uploads") == 2


async def test_a_large_upload_goes_to_the_disk_as_it_arrives(storage: FileStorage, folder: Path) -> None:
    data = bytes(range(256)) * (MOST_HELD_EACH_BYTES // 256) + SMALL
    job_id = new_id()
    async with storage.receive(job_id) as arrival:
        for start in range(0, len(data), len(BLOCK)):
            await arrival.write(data[start : start + len(BLOCK)])
        async with arrival.written() as path:
            assert path == folder / "uploads" / ".arriving" / job_id / "source"
            assert path.stat().st_size == len(data)
        await arrival.keep(b"record")
    assert await content(storage, await storage.source(job_id)) == data


async def test_uploads_hold_no_more_memory_together_than_they_may(folder: Path) -> None:
    storage = FileStorage(folder, memory_bytes=2 * len(SMALL) + 1)
    arriving = folder / "uploads" / ".arriving"
    ids = [new_id() for _ in range(3)]
    async with AsyncExitStack() as stack:
        arrivals = [await stack.enter_async_context(storage.receive(job_id)) for job_id in ids]
        for arrival in arrivals:
            await arrival.write(SMALL)
        assert [path.name for path in arriving.iterdir()] == ids[2:]
        await arrivals[0].keep(b"record")  # makes room
        late = await stack.enter_async_context(storage.receive(new_id()))
        await late.write(SMALL)
        assert [path.name for path in arriving.iterdir()] == ids[2:]
        await arrivals[2].keep(b"record")
        assert list(arriving.iterdir()) == []


@pytest.mark.parametrize("way", ["kept", "given up", "too large", "read", "broken"])
async def test_memory_is_given_back_however_an_upload_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch, break_it: Break, way: str
) -> None:
    made: list[Memory] = []
    init = Memory.__init__

    def noting(memory: Memory, most_bytes: int) -> None:
        init(memory, most_bytes)
        made.append(memory)

    monkeypatch.setattr(Memory, "__init__", noting)
    storage = FileStorage(folder, memory_bytes=3 * len(BLOCK))
    async with storage.receive(new_id()) as arrival:
        await arrival.write(BLOCK)
        assert made[0].free_bytes == 2 * len(BLOCK)
        if way == "kept":
            await arrival.keep(b"record")
        elif way == "too large":
            await arrival.write(3 * BLOCK)
        elif way == "read":
            async with arrival.written():
                pass
        elif way == "broken":
            break_it(5)
            with pytest.raises(Exception, match="cannot use its storage"):
                await arrival.keep(b"record")
    assert made[0].free_bytes == 3 * len(BLOCK)


async def test_whoever_is_cancelled_waits_for_the_thread() -> None:
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
        ended.append(True)

    task = asyncio.create_task(durability.to_its_end(work))
    await begun.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
