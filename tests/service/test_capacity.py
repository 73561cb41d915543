"""The room for more jobs: looked up once per second, and whenever what is remembered is not good enough."""

import asyncio

import pytest

from quickthumb.model.errors import UnsupportedImage
from quickthumb.queue.jobs import JobStore
from quickthumb.service.capacity import REMEMBERED_SECONDS, Capacity
from quickthumb.service.errors import QueueFull
from quickthumb.storage import FileStorage
from quickthumb.storage.errors import DiskFull, StorageUnavailable


class Looks:
    """Counts the looks at a real queue, and tells the time that a test sets."""

    def __init__(self, store: JobStore, storage: FileStorage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.queued: int | None = None
        self.seconds = 0.0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.capacity = Capacity(store, storage, max_queued=3, clock=lambda: self.seconds)
        probe = store.probe

        async def counted() -> int:
            self.count += 1
            await self.go_on.wait()
            queued = await probe()
            return queued if self.queued is None else self.queued

        monkeypatch.setattr(store, "probe", counted)

    async def ask(self, error: Exception | None = None) -> None:
        async with self.capacity.checked():
            if error is not None:
                raise error


@pytest.fixture
def looks(store: JobStore, storage: FileStorage, monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(store, storage, monkeypatch)


async def test_one_look_counts_for_a_second(looks: Looks) -> None:
    for seconds, count in ((0.0, 1), (0.9 * REMEMBERED_SECONDS, 1), (REMEMBERED_SECONDS, 2), (1.5, 2), (2.5, 3)):
        looks.seconds = seconds
        await looks.ask()
        assert looks.count == count


async def test_requests_at_the_same_time_share_a_look_though_the_first_client_goes_away(looks: Looks) -> None:
    looks.go_on.clear()
    first, *others = [asyncio.create_task(looks.ask()) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    looks.go_on.set()
    await asyncio.gather(*others)
    assert first.cancelled()
    assert looks.count == 1


async def test_a_full_queue_is_looked_at_each_time(looks: Looks) -> None:
    looks.queued = 3
    for count in (1, 2):
        with pytest.raises(QueueFull, match="3 jobs are already waiting"):
            await looks.ask()
        assert looks.count == count
    looks.queued = 2
    await looks.ask()
    assert looks.count == 3


async def test_jobs_added_meanwhile_count(looks: Looks) -> None:
    looks.queued = 1
    await looks.ask()
    looks.capacity.added()
    await looks.ask()
    assert looks.count == 1
    looks.capacity.added()
    looks.queued = 3
    with pytest.raises(QueueFull):
        await looks.ask()
    assert looks.count == 2


async def test_a_full_disk_is_not_remembered(
    looks: Looks, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full() -> None:
        raise DiskFull("The server's disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "probe", full)
        with pytest.raises(DiskFull):
            await looks.ask()
    await looks.ask()
    assert looks.count == 2


async def test_after_a_failure_of_the_service_the_next_request_looks_again(looks: Looks) -> None:
    for error, count in ((UnsupportedImage("No."), 1), (StorageUnavailable("No."), 1), (UnsupportedImage("No."), 2)):
        with pytest.raises(type(error)):
            await looks.ask(error)
        assert looks.count == count
