"""Whether a process sees the right storage."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb.queue.keys import KEYS
from quickthumb.queue.repair import StorageMark
from quickthumb.service.guard import StorageGuard, told
from quickthumb.storage import FileStorage
from quickthumb.storage.errors import WrongStorage
from quickthumb.storage.layout import mail_record
from tests.storage.jobs import keep


@pytest.fixture
def mark(client: Redis) -> StorageMark:
    return StorageMark(client)


@pytest.fixture
def other(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path / "other")


async def test_nothing_is_stored_before_the_first_look(mark: StorageMark, storage: FileStorage) -> None:
    guard = StorageGuard(storage, mark)
    with pytest.raises(WrongStorage):
        await keep(storage)
    await guard.check()
    await keep(storage)


async def test_redis_belongs_to_the_storage_of_the_first_process(
    mark: StorageMark, storage: FileStorage, other: FileStorage, redis: Redis
) -> None:
    guard, stray = StorageGuard(storage, mark), StorageGuard(other, mark)
    await guard.check()
    identity = await storage.identity()
    assert await redis.get(KEYS.storage) == identity.encode()
    assert await redis.ttl(KEYS.storage) == -1
    with pytest.raises(WrongStorage) as caught:
        await stray.check()
    for words in (other.place, identity, "no store.json", "DATA_DIR", "--adopt-storage"):
        assert words in told(caught.value)
    assert not Path(other.place).exists()
    foreign = await other.identity()
    with pytest.raises(WrongStorage) as caught:
        await stray.check()
    assert f"has the id {foreign}" in told(caught.value)
    await StorageGuard(FileStorage(Path(storage.place)), mark).check()


async def test_a_wiped_redis_takes_the_id_anew_but_not_from_a_folder_that_took_the_place(
    mark: StorageMark, storage: FileStorage, folder: Path, redis: Redis, tmp_path: Path
) -> None:
    guard = StorageGuard(storage, mark)
    await guard.check()
    identity = await storage.identity()
    await redis.flushall()
    await guard.check()
    assert await mark.read() == identity
    folder.rename(tmp_path / "away")
    await redis.flushall()
    for taken in (False, True):
        if taken:
            await FileStorage(folder).identity()
        with pytest.raises(WrongStorage):
            await guard.check()
        assert await mark.read() is None


async def test_another_storage_can_be_adopted(mark: StorageMark, storage: FileStorage, other: FileStorage) -> None:
    old, new = StorageGuard(storage, mark), StorageGuard(other, mark)
    await old.check()
    assert await new.adopt() == await other.identity()
    await new.check()
    with pytest.raises(WrongStorage):
        await old.check()
    with pytest.raises(WrongStorage):
        await storage.put(mail_record("0" * 32), b"data")


async def test_trouble_is_told_once_and_its_end_too(
    mark: StorageMark, storage: FileStorage, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    troubles: list[str | None] = []
    guard = StorageGuard(storage, mark, troubles.append, lambda: troubles.append(None))
    await guard.watch()
    assert (troubles, caplog.messages) == ([None], [])
    folder.rename(tmp_path / "away")
    for _ in range(3):
        await guard.watch()
    assert guard.trouble == "The server sees another storage than the one it should."
    (tmp_path / "away").rename(folder)
    for _ in range(2):
        await guard.watch()
    assert guard.trouble is None
    assert len(troubles) == 4
    assert troubles[1] is not None
    assert str(folder) in troubles[1]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
