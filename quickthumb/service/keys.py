"""The API keys of a deployment. The storage has them, and each process knows them: no request waits for a look-up.

A key is one small object, `keys/{id}.json`, which never changes. What ends it is another one,
`keys/{id}.ends.{random}.json`, so that neither is ever replaced. Redis knows nothing of keys: a wiped one locks nobody
out and lets nobody in.
"""

import hmac
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, ValidationError

from quickthumb.model.allowance import NO_BOUNDS, NO_QUOTAS, Bounds, Quotas
from quickthumb.model.api_key import ApiKey, digest_of, id_in, new_text
from quickthumb.model.caller import Scope
from quickthumb.model.job import now
from quickthumb.service.errors import InvalidKey, KeysUnknown
from quickthumb.storage import Storage
from quickthumb.storage.errors import WrongStorage
from quickthumb.storage.layout import KEYS
from quickthumb.storage.registry import Registry

log = logging.getLogger("quickthumb.web")

FOLDER = f"{KEYS}/"
OBJECT = re.compile(rf"{FOLDER}(?P<id>[0-9A-Za-z]+)(?P<end>\.ends\.[0-9a-f]+)?\.json")


class _End(BaseModel):
    """What ends a key: the moment from which on it is no longer valid."""

    ends_at: AwareDatetime


# A file that was to end a key and cannot be read has ended it: a revoked key must not come back.
UNREADABLE_END = _End(ends_at=datetime.min.replace(tzinfo=UTC))


class Keyring:
    """The keys as this process knows them. Until the first `refresh`, nobody is let in.

    It reads a storage that nobody has compared with Redis, so that keys are known while Redis is away; but none that
    `is_wrong`. A folder that is not mounted has no keys, and must not let everybody in.
    """

    def __init__(self, storage: Storage, is_wrong: Callable[[], bool] = lambda: False) -> None:
        self._is_wrong = is_wrong
        self._registry: Registry[ApiKey | _End] = Registry(storage, FOLDER, _understood)
        self._keys: dict[str, ApiKey] = {}
        self._needs_key = False

    @property
    def needs_key(self) -> bool:
        """Whether requests need a key: from the moment on when the first was made, even if all have ended or are gone.
        Raises KeysUnknown, and WrongStorage."""
        if not self._registry.is_read:
            if self._is_wrong():
                raise WrongStorage("The server sees another storage than the one it should.")
            raise KeysUnknown("The service has not been able to read its API keys yet.")
        return self._needs_key

    async def refresh(self) -> None:
        """Reads what was made since the last call. Raises what `Storage.list` raises; then, and while the storage is
        wrong, what is known stays valid."""
        if self._is_wrong() or not await self._registry.refresh():
            return
        self._keys = _ended_by(self._registry.objects)
        self._needs_key |= self._registry.has_any

    def all(self) -> list[ApiKey]:
        """The keys, oldest first, those that have ended too."""
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))

    @property
    def unreadable(self) -> int:
        """How many files among the keys are none, or cannot be understood."""
        ends = sum(one is UNREADABLE_END for one in self._registry.objects.values())
        return self._registry.not_understood + ends

    def key_of(self, text: str) -> ApiKey:
        """The key with this text. Raises InvalidKey if there is none, or if it has ended."""
        key, digest = self._keys.get(id_in(text) or ""), digest_of(text)
        if key is None or not hmac.compare_digest(key.digest, digest):
            raise InvalidKey("There is no such API key.")
        if key.has_ended(now()):
            raise InvalidKey("The API key has expired, or was revoked.")
        return key

    def find(self, key_id: str) -> ApiKey | None:
        """The key with this id, if it is valid."""
        key = self._keys.get(key_id)
        return None if key is None or key.has_ended(now()) else key

    def is_valid(self, key: ApiKey) -> bool:
        """Whether a key that was valid before still is."""
        return self.find(key.id) is not None


def _understood(name: str, data: bytes | None) -> ApiKey | _End | None:
    place = OBJECT.fullmatch(name)
    if place is None:
        log.warning("%s in the data folder is no API key; it is ignored", name)
        return None
    try:
        return (_End if place["end"] else ApiKey).model_validate_json(data or b"")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        effect = "the key that it was to end has ended" if place["end"] else "the key is unknown"
        log.warning("%s in the data folder cannot be read, so %s: %s", name, effect, first["msg"])
        return UNREADABLE_END if place["end"] else None


def _ended_by(objects: Mapping[str, ApiKey | _End]) -> dict[str, ApiKey]:
    """The keys by their ids, each with the earliest of its ends, but not before the key was made."""
    keys = {one.id: one for one in objects.values() if isinstance(one, ApiKey)}
    for name, one in objects.items():
        place = OBJECT.fullmatch(name)
        key = keys.get(place["id"]) if place else None
        if key is not None and isinstance(one, _End) and (key.ends_at is None or one.ends_at < key.ends_at):
            keys[key.id] = key.model_copy(update={"ends_at": max(one.ends_at, key.created_at), "revoked": True})
    return keys


class KeyStore:
    """What operators do with keys."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def create(
        self,
        tenant: str,
        scopes: Iterable[Scope],
        *,
        note: str = "",
        ends_at: datetime | None = None,
        bounds: Bounds = NO_BOUNDS,
        quotas: Quotas = NO_QUOTAS,
    ) -> tuple[str, ApiKey]:
        """Makes a key. Returns its text, which nobody can find out afterwards, and what is kept of it."""
        text = new_text()
        key = ApiKey(
            id=id_in(text) or "",
            digest=digest_of(text),
            tenant=tenant,
            scopes=frozenset(scopes),
            bounds=bounds,
            quotas=quotas,
            note=note,
            created_at=now(),
            ends_at=ends_at,
        )
        await self._storage.put(
            f"{FOLDER}{key.id}.json", key.model_dump_json(exclude_none=True, exclude={"revoked"}).encode()
        )
        return text, key

    async def end(self, key: ApiKey, moment: datetime) -> None:
        """Ends a key at this moment, if it does not end earlier."""
        name = f"{FOLDER}{key.id}.ends.{secrets.token_hex(8)}.json"
        await self._storage.put(name, _End(ends_at=moment).model_dump_json().encode())

    async def rotate(self, key: ApiKey, moment: datetime) -> tuple[str, ApiKey]:
        """Makes another key like this one, and ends this one at `moment`: until then, both are valid."""
        made = await self.create(
            key.tenant, key.scopes, note=key.note, ends_at=key.ends_at, bounds=key.bounds, quotas=key.quotas
        )
        await self.end(key, moment)
        return made

    async def all(self) -> list[ApiKey]:
        """The keys, oldest first, those that have ended too."""
        keyring = Keyring(self._storage)
        await keyring.refresh()
        return keyring.all()
