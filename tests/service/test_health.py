"""The operator's verbs."""

from pathlib import Path

from redis.asyncio import Redis

from quickthumb.queue.history import History
from quickthumb.queue.jobs import JobStore
from quickthumb.service.health import Health
from quickthumb.storage import FileStorage


async def test_readiness_names_what_is_missing(store: JobStore, storage: FileStorage, client: Redis) -> None:
    health = Health(store, storage, History(client))
    assert await health.readiness() == {"redis": "ok", "disk": "ok", "workers": "No worker is running."}
    await store.heartbeat("worker", paused=True)
    assert (await health.readiness())["workers"] == "No worker is able to run jobs (1 cannot use the storage)."
    await store.heartbeat("worker")
    assert set((await health.readiness()).values()) == {"ok"}


async def test_the_storage_is_probed(store: JobStore, tmp_path: Path, client: Redis) -> None:
    seconds = await Health(store, FileStorage(tmp_path), History(client)).probe_storage()
    assert seconds is not None
    assert 0 < seconds < 10
    assert await Health(store, FileStorage(tmp_path, min_free_bytes=2**62), History(client)).probe_storage() is None
