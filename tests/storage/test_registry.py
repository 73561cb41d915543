"""Small objects as one process knows them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from quickthumb.storage import Blob, FileStorage
from quickthumb.storage.errors import StorageUnavailable
from quickthumb.storage.registry import Registry

FOLDER = "things/"


def text(_: str, data: bytes | None) -> str | None:
    return None if data is None or data == b"?" else data.decode()


@pytest.fixture
def registry(storage: FileStorage) -> Registry[str]:
    return Registry(storage, FOLDER, text)


async def test_it_knows_what_is_there_and_forgets_what_is_gone(storage: FileStorage, registry: Registry[str]) -> None:
    assert not registry.is_read
    assert await registry.refresh()
    assert registry.is_read
    assert not registry.has_any
    await storage.put("things/a", b"A")
    await storage.put("things/b", b"B")
    assert await registry.refresh()
    assert registry.objects == {"things/a": "A", "things/b": "B"}
    assert not await registry.refresh()
    await storage.delete("things/a")
    assert await registry.refresh()
    assert registry.objects == {"things/b": "B"}


async def test_what_cannot_be_understood_counts_but_is_not_shown(storage: FileStorage, registry: Registry[str]) -> None:
    await storage.put("things/a", b"?")
    await registry.refresh()
    assert registry.objects == {}
    assert registry.has_any
    assert registry.not_understood == 1


async def test_each_object_is_read_once(
    storage: FileStorage, registry: Registry[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    get = storage.get

    async def counted(key: str) -> bytes | None:
        read.append(key)
        return await get(key)

    monkeypatch.setattr(storage, "get", counted)
    for name in "abc":
        await storage.put(f"things/{name}", b"X")
        await registry.refresh()
    assert read == ["things/a", "things/b", "things/c"]


async def test_a_storage_that_is_away_takes_nothing_away(
    storage: FileStorage, registry: Registry[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await storage.put("things/a", b"A")
    await registry.refresh()

    def away(_: str) -> Any:
        raise StorageUnavailable("away")

    monkeypatch.setattr(storage, "list", away)
    with pytest.raises(StorageUnavailable):
        await registry.refresh()
    assert registry.objects == {"things/a": "A"}


async def test_a_file_that_may_not_be_opened_keeps_no_other_from_being_known(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    get, closed, asked = storage.get, {"things/b"}, list[tuple[str, bytes | None]]()

    async def guarded(key: str) -> bytes | None:
        if key in closed:
            raise StorageUnavailable("closed") from PermissionError(key)
        return await get(key)

    def noted(name: str, data: bytes | None) -> str | None:
        asked.append((name, data))
        return text(name, data)

    monkeypatch.setattr(storage, "get", guarded)
    registry = Registry(storage, FOLDER, noted)
    for name in "abc":
        await storage.put(f"things/{name}", name.encode())
    assert await registry.refresh()
    assert registry.objects == {"things/a": "a", "things/c": "c"}
    assert registry.not_understood == 1
    assert not await registry.refresh()
    assert sorted(asked) == [("things/a", b"a"), ("things/b", None), ("things/c", b"c")]
    await storage.put("things/d", b"d")
    assert await registry.refresh()
    assert set(registry.objects) == {"things/a", "things/c", "things/d"}
    closed.clear()
    assert await registry.refresh()
    assert registry.objects["things/b"] == "b"
    assert registry.not_understood == 0
    assert not await registry.refresh()
    assert len(asked) == 5


async def test_an_older_listing_does_not_replace_a_newer_one(
    storage: FileStorage, registry: Registry[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = storage.list
    is_first, go_on = True, asyncio.Event()

    async def slow_at_first(prefix: str) -> AsyncIterator[list[Blob]]:
        nonlocal is_first
        is_slow, is_first = is_first, False
        found = [batch async for batch in listed(prefix)]
        if is_slow:
            await go_on.wait()
        for batch in found:
            yield batch

    monkeypatch.setattr(storage, "list", slow_at_first)
    older = asyncio.create_task(registry.refresh())
    await asyncio.sleep(0)
    await storage.put("things/a", b"A")
    newer = asyncio.create_task(registry.refresh())
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(older, newer)
    assert registry.objects == {"things/a": "A"}
