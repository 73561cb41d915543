"""Sessions: what their text says, who recognizes it, and when they end."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from pathlib import Path

import pytest

from quickthumb.model.api_key import new_text
from quickthumb.model.caller import Scope
from quickthumb.model.job import now
from quickthumb.service.errors import InvalidKey, KeysUnknown
from quickthumb.service.keys import Keyring, KeyStore
from quickthumb.service.sessions import LONGEST_SECONDS, Sessions
from quickthumb.storage import FileStorage
from quickthumb.storage.errors import StorageUnavailable, WrongStorage
from quickthumb.storage.layout import session_secret


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path)


class Process:
    """What one web process knows."""

    def __init__(self, storage: FileStorage) -> None:
        self.keyring = Keyring(storage)
        self.sessions = Sessions(storage, self.keyring)

    async def look(self) -> None:
        await self.keyring.refresh()
        await self.sessions.refresh()


async def started(storage: FileStorage) -> Process:
    process = Process(storage)
    await process.look()
    return process


async def test_every_process_recognizes_a_session_until_its_key_ends(storage: FileStorage) -> None:
    store = KeyStore(storage)
    text, key = await store.create("shop", [Scope.JOBS_READ])
    first, second = Process(storage), Process(storage)
    await asyncio.gather(first.look(), second.look())
    session = await first.sessions.begin(text)
    assert session.key == key
    assert second.sessions.find(session.text) == session
    assert second.sessions.is_valid(session)
    await store.end(key, now())
    await second.look()
    assert second.sessions.find(session.text) is None
    assert not second.sessions.is_valid(session)
    assert first.sessions.is_valid(session)


async def test_the_text_holds_no_key_and_is_signed_as_documented(storage: FileStorage, tmp_path: Path) -> None:
    text, key = await KeyStore(storage).create("shop", [Scope.JOBS_READ])
    session = await (await started(storage)).sessions.begin(text)
    signed, _, signature = session.text.rpartition(".")
    version, payload = signed.split(".")
    assert version == "v1"
    said = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert said == {"key": key.id, "issued": session.expires - LONGEST_SECONDS, "expires": session.expires}
    secret = json.loads((tmp_path / session_secret()).read_bytes())["secret"]
    assert len(bytes.fromhex(secret)) == 32
    right = hmac.digest(bytes.fromhex(secret), signed.encode(), hashlib.sha256)
    assert signature == base64.urlsafe_b64encode(right).rstrip(b"=").decode()


async def test_a_session_ends_after_twelve_hours_or_with_its_key(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = KeyStore(storage)
    lasting, _ = await store.create("shop", [Scope.JOBS_READ])
    ending, key = await store.create("shop", [Scope.JOBS_READ], ends_at=now() + timedelta(hours=1))
    sessions = (await started(storage)).sessions
    long, short = await sessions.begin(lasting), await sessions.begin(ending)
    assert long.expires == pytest.approx(time.time() + 12 * 3600, abs=5)
    assert key.ends_at is not None
    assert short.expires == int(key.ends_at.timestamp())
    assert sessions.is_valid(long)
    monkeypatch.setattr(time, "time", lambda: float(long.expires))
    assert not sessions.is_valid(long)


@pytest.mark.parametrize("kind", ["unknown", "expired", "revoked", "misspelt", "no key", ""])
async def test_whoever_has_no_valid_key_is_told_the_same(storage: FileStorage, kind: str) -> None:
    store = KeyStore(storage)
    valid, _ = await store.create("shop", [Scope.JOBS_READ])
    expired, _ = await store.create("shop", [Scope.JOBS_READ], ends_at=now() - timedelta(seconds=1))
    revoked, key = await store.create("shop", [Scope.JOBS_READ])
    await store.end(key, now())
    texts = {"unknown": new_text(), "expired": expired, "revoked": revoked, "misspelt": f"{valid[:-1]}!"}
    with pytest.raises(InvalidKey, match=r"^There is no such API key, or it has ended\.$"):
        await (await started(storage)).sessions.begin(texts.get(kind, kind))


async def test_a_text_that_was_changed_or_signed_elsewhere_is_no_session(storage: FileStorage, tmp_path: Path) -> None:
    text, _ = await KeyStore(storage).create("shop", [Scope.JOBS_READ])
    process = await started(storage)
    session = await process.sessions.begin(text)
    version, payload, signature = session.text.split(".")
    # The last digit stands for two bits that no byte has: the same bytes, but another text.
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    neighbor = last[last.index(signature[-1]) ^ 1]
    other = FileStorage(tmp_path / "other")
    (tmp_path / "other").mkdir()
    foreign, _ = await KeyStore(other).create("shop", [Scope.JOBS_READ])
    changed = [
        f"v2.{payload}.{signature}",
        f"{version}.{payload}A.{signature}",
        f"{version}.{payload}.{signature[:-1]}{neighbor}",
        f"{version}.{payload}.{signature}=",
        f"{version}.{payload}.{signature[:-1]}",
        f"{version}.{payload}.",
        f"{version}..{signature}",
        f"{session.text}\n",
        f"{version}.{payload * 40}.{signature}",
        "",
        text,
        (await (await started(other)).sessions.begin(foreign)).text,
    ]
    assert process.sessions.find(session.text) is not None
    assert [one for one in changed if process.sessions.find(one) is not None] == []


async def test_no_secret_is_made_before_there_is_a_key(storage: FileStorage, tmp_path: Path) -> None:
    process = Process(storage)
    with pytest.raises(KeysUnknown):
        await process.sessions.begin(new_text())
    await process.look()
    assert not (tmp_path / session_secret()).exists()
    text, _ = await KeyStore(storage).create("shop", [Scope.JOBS_READ])
    await process.keyring.refresh()
    session = await process.sessions.begin(text)
    assert (await started(storage)).sessions.is_valid(session)


async def test_who_deletes_the_secret_ends_every_session(storage: FileStorage, tmp_path: Path) -> None:
    text, _ = await KeyStore(storage).create("shop", [Scope.JOBS_READ])
    process = await started(storage)
    session = await process.sessions.begin(text)
    (tmp_path / session_secret()).unlink()
    await process.look()
    assert not process.sessions.is_valid(session)
    assert process.sessions.is_valid(await process.sessions.begin(text))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"secret": "00"}', b'{"secret": 5}'])
async def test_with_a_damaged_secret_nobody_logs_in(storage: FileStorage, content: bytes) -> None:
    text, _ = await KeyStore(storage).create("shop", [Scope.JOBS_READ])
    await storage.put(session_secret(), content)
    process = Process(storage)
    await process.keyring.refresh()
    for attempt in (process.sessions.refresh(), process.sessions.begin(text)):
        with pytest.raises(StorageUnavailable) as refused:
            await attempt
        assert "delete it" in str(refused.value.__cause__)
    await storage.delete(session_secret())
    assert process.sessions.is_valid(await process.sessions.begin(text))


async def test_a_folder_that_is_not_mounted_gets_no_secret(storage: FileStorage, tmp_path: Path) -> None:
    identity = await storage.identity()
    storage.expect(identity)
    text, _ = await KeyStore(storage).create("shop", [Scope.JOBS_READ])
    process = await started(storage)
    session = await process.sessions.begin(text)
    mounted = tmp_path.rename(tmp_path.with_name("elsewhere"))
    tmp_path.mkdir()
    with pytest.raises(WrongStorage):
        await process.sessions.refresh()
    assert list(tmp_path.iterdir()) == []
    assert process.sessions.is_valid(session)
    tmp_path.rmdir()
    mounted.rename(tmp_path)
    await process.look()
    assert process.sessions.is_valid(session)
