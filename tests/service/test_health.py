"""The operator's verbs."""

from pathlib import Path

from quickthumb.queue.jobs import JobStore
from quickthumb.service.health import Health
from quickthumb.storage import FileStorage


async def test_readiness_names_what_is_missing(store: JobStore, storage: FileStorage) -> None:
    health = Health(store, storage)
    assert await health.readiness() == {"redis": "ok", "disk": "ok", "workers": "No worker is running."}
    await store.heartbeat("worker", paused=True)
    assert (await health.readiness())["workers"] == "No worker is able to run jobs (1 cannot use the storage)."
    await store.heartbeat("worker")
    assert set((await health.readiness()).values()) == {"ok"}


async def test_the_storage_is_probed(store: JobStore, tmp_path: Path) -> None:
    seconds = await Health(store, FileStorage(tmp_path)).probe_storage()
    assert seconds is not None
    assert 0 < seconds < 10
    assert await Health(store, FileStorage(tmp_path, min_free_bytes=2**62)).probe_storage() is None
