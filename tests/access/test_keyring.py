"""What a process knows of the keys, whatever happens to the storage."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from quickthumb.model.caller import Scope
from quickthumb.model.job import now
from quickthumb.service.errors import InvalidKey, KeysUnknown
from quickthumb.service.keys import FOLDER, Keyring, KeyStore
from quickthumb.storage import FileStorage
from quickthumb.storage.errors import WrongStorage


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path)


async def test_nobody_is_let_in_before_the_keys_were_read(storage: FileStorage) -> None:
    keyring = Keyring(storage)
    with pytest.raises(KeysUnknown):
        _ = keyring.needs_key
    await keyring.refresh()
    assert not keyring.needs_key


async def test_one_key_is_enough_to_need_one_for_ever(storage: FileStorage, tmp_path: Path) -> None:
    keyring = Keyring(storage)
    text, key = await KeyStore(storage).create("shop", [Scope.ADMIN])
    await keyring.refresh()
    assert keyring.needs_key
    assert keyring.key_of(text) == key
    shutil.rmtree(tmp_path / FOLDER)
    await keyring.refresh()
    assert keyring.needs_key
    with pytest.raises(InvalidKey):
        keyring.key_of(text)


async def test_the_earliest_end_counts(storage: FileStorage) -> None:
    store, keyring = KeyStore(storage), Keyring(storage)
    text, key = await store.create("shop", [Scope.ADMIN], ends_at=now() + timedelta(days=1))
    for end in (now() + timedelta(hours=1), now() + timedelta(days=2)):
        await store.end(key, end)
    await keyring.refresh()
    (known,) = keyring.all()
    assert known.ends_at is not None
    assert known.ends_at < now() + timedelta(hours=2)
    assert keyring.key_of(text).id == key.id
    await store.end(key, now())
    await keyring.refresh()
    with pytest.raises(InvalidKey, match="expired, or was revoked"):
        keyring.key_of(text)


@pytest.mark.parametrize("content", [b"", b"{}", b"not JSON", b"\xff"])
async def test_a_file_that_is_no_key_lets_nobody_in(storage: FileStorage, content: bytes) -> None:
    keyring = Keyring(storage)
    await storage.put(f"{FOLDER}abc.json", content)
    await storage.put(f"{FOLDER}notes.txt", content)
    await keyring.refresh()
    assert keyring.needs_key
    assert keyring.all() == []


@pytest.mark.parametrize("content", [b"", b"{}", b"not JSON", b'{"ends_at": "2999-01-01T00:00:00"}'])
async def test_an_end_that_cannot_be_read_has_ended_its_key(
    storage: FileStorage, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store, keyring = KeyStore(storage), Keyring(storage)
    text, key = await store.create("shop", [Scope.ADMIN])
    other, _ = await store.create("shop", [Scope.ADMIN])
    await storage.put(f"{FOLDER}{key.id}.ends.0123456789abcdef.json", content)
    await keyring.refresh()
    with pytest.raises(InvalidKey, match="expired, or was revoked"):
        keyring.key_of(text)
    keyring.key_of(other)
    assert keyring.unreadable == 1
    assert "the key that it was to end has ended" in caplog.text
    (ended,) = [one for one in keyring.all() if one.id == key.id]
    assert (ended.ends_at, ended.revoked) == (key.created_at, True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every file")
async def test_a_new_key_that_may_not_be_opened_stops_no_other(storage: FileStorage, tmp_path: Path) -> None:
    store, keyring = KeyStore(storage), Keyring(storage)
    closed, key = await store.create("shop", [Scope.ADMIN])
    path = tmp_path / FOLDER / f"{key.id}.json"
    path.chmod(0)
    text, _ = await store.create("shop", [Scope.ADMIN])
    await keyring.refresh()
    keyring.key_of(text)
    with pytest.raises(InvalidKey):
        keyring.key_of(closed)
    path.chmod(0o600)
    await keyring.refresh()
    assert keyring.key_of(closed) == key


async def test_a_storage_that_is_the_wrong_one_says_nothing(storage: FileStorage, tmp_path: Path) -> None:
    text, key = await KeyStore(storage).create("shop", [Scope.ADMIN])
    is_wrong = False
    keyring = Keyring(storage, lambda: is_wrong)
    await keyring.refresh()
    is_wrong = True
    shutil.rmtree(tmp_path / FOLDER)
    await keyring.refresh()
    assert keyring.key_of(text) == key
    new = Keyring(storage, lambda: is_wrong)
    await new.refresh()
    with pytest.raises(WrongStorage):
        _ = new.needs_key


async def test_a_service_without_keys_stays_open_while_its_storage_is_away(storage: FileStorage) -> None:
    is_wrong = False
    keyring = Keyring(storage, lambda: is_wrong)
    await keyring.refresh()
    is_wrong = True
    await keyring.refresh()
    assert not keyring.needs_key
