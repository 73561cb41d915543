"""Steps that the tests of every storage share: they keep jobs, end them, and read what is stored."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from quickthumb.model.job import new_id
from quickthumb.storage import Blob, Storage, durability
from quickthumb.storage.contract import BATCH

Left = Callable[[], list[str]]
Break = Callable[[int], None]
GrowOlder = Callable[[float], None]


class GoneAway(Exception):
    """The client of an upload has gone away."""


def nothing() -> None:
    """The default for `in_the_middle`: nothing happens there."""


def go_away() -> None:
    raise GoneAway


async def keep(
    storage: Storage,
    source: bytes = b"source",
    record: bytes = b"record",
    job_id: str | None = None,
    in_the_middle: Callable[[], None] = nothing,
) -> str:
    """Stores a new job and returns its id. Calls `in_the_middle` after the source is written."""
    job_id = job_id or new_id()
    async with storage.receive(job_id) as arrival:
        for start in range(0, len(source), 50_000):
            await arrival.write(source[start : start + 50_000])
        in_the_middle()
        await arrival.keep(record)
    return job_id


async def end(
    storage: Storage,
    job_id: str,
    results: dict[str, bytes],
    outcome: bytes,
    in_the_middle: Callable[[], None] = nothing,
    keep: str | None = None,
) -> bytes:
    """Makes one attempt at the job; returns the outcome that is stored after it."""
    async with storage.workspace(job_id, new_id()) as folder:
        for name, data in results.items():
            (folder / name).write_bytes(data)
        in_the_middle()
        return await storage.conclude(job_id, folder, outcome, [*results], keep=keep)


async def content(storage: Storage, blob: Blob | None, start: int = 0, end: int | None = None) -> bytes:
    """The bytes of a blob, or of a part of it."""
    assert blob is not None
    return b"".join([block async for block in storage.read(blob, start, end)])


async def bytes_of(storage: Storage, job_id: str, name: str) -> bytes | None:
    blob = await storage.result(job_id, name)
    return await content(storage, blob) if blob else None


async def found(storage: Storage, key: str) -> Blob:
    """The blob under a key that must exist."""
    blob = await storage.find(key)
    assert blob is not None
    return blob


async def listed(storage: Storage, prefix: str) -> list[Blob]:
    """Every blob below a prefix; checks that the batches are neither empty nor too large."""
    batches = [batch async for batch in storage.list(prefix)]
    assert all(0 < len(batch) <= BATCH for batch in batches)
    return [blob for batch in batches for blob in batch]


async def cancelled_after(work: Coroutine[Any, Any, None], entered: asyncio.Event, rounds: int) -> None:
    """Starts the work and cancels it after that many turns of the event loop."""
    task = asyncio.create_task(work)
    await entered.wait()
    for _ in range(rounds):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


Sync = Callable[[Path], None]


class Stopper:
    """A step of the storage that stops until it is told to go on: `reached` is set once it has stopped."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()

    def stop(self) -> None:
        self.reached.set()
        self.go_on.wait(10)

    def sync(self, concerns: Callable[[Path], bool]) -> Sync:
        """`durability.sync`, which stops before it syncs a path that this concerns."""
        sync = durability.sync

        def slow(path: Path) -> None:
            if concerns(path):
                self.stop()
            sync(path)

        return slow

    async def has_stopped(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, 10)


def is_in_step(step: str) -> Callable[[Path], bool]:
    """Whether a path is synced in this step of keeping a job: "before the move" or "after the move"."""
    return lambda path: (".arriving" in str(path)) == (step == "before the move")
