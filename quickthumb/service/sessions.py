"""Sessions: a page logs in with an API key once, and its browser then sends a cookie in place of the key.

The text of a session names the key and says when the session ends, and is signed (HMAC-SHA-256, RFC 2104). It holds no
key, and there is no list of sessions: a session may do what its key may do at that moment, so it ends with the key. The
signing secret is one small object in the storage, which each process reads; it is never in Redis.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from dataclasses import dataclass

from quickthumb.model.api_key import ApiKey
from quickthumb.model.errors import Cause
from quickthumb.service.errors import InvalidKey
from quickthumb.service.keys import Keyring
from quickthumb.storage import Storage
from quickthumb.storage.errors import StorageUnavailable
from quickthumb.storage.layout import session_secret

LONGEST_SECONDS = 12 * 3600
SECRET_BYTES = 32
# Our payloads have some 60 characters. A much longer one is not ours, and is refused before it is hashed.
FORM = re.compile(r"(v1\.([A-Za-z0-9_-]{1,256}))\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Session:
    """A login that is valid until `expires`, in seconds since 1970, for what its key may do. `text` goes into the
    cookie: anybody who has it is logged in."""

    key: ApiKey
    expires: int
    text: str


class Sessions:
    """Begins sessions and recognizes them. Until the first `refresh` there are none.

    The storage must know which one it should be: a secret must not be made in a folder that is not mounted.
    """

    def __init__(self, storage: Storage, keyring: Keyring) -> None:
        self._storage = storage
        self._keyring = keyring
        self._secret: bytes | None = None
        self._version: str | None = None

    async def refresh(self) -> None:
        """Reads the secret, and makes it once there is a key: of several processes, only one makes it. If the secret
        was deleted, makes another, which ends all sessions.

        Raises KeysUnknown, StorageUnavailable, DiskFull and WrongStorage. While the storage cannot be read or is the
        wrong one, the known secret stays.
        """
        if not self._keyring.needs_key:
            return
        name = session_secret()
        found = await self._storage.find(name)
        if found is None:
            self._secret, self._version = None, None
            await self._storage.put(name, _new_secret())
            found = await self._storage.find(name)
        if found is not None and found.version == self._version:
            return
        self._secret, self._version = None, None
        secret = _secret_in(await self._storage.get(name))
        self._secret, self._version = secret, None if found is None else found.version

    async def begin(self, text: str) -> Session:
        """Logs in with the text of a key. Raises InvalidKey, in the same words for every key that is not valid;
        KeysUnknown, WrongStorage, StorageUnavailable and DiskFull."""
        _ = self._keyring.needs_key  # raises, if nothing is known
        try:
            key = self._keyring.key_of(text)
        except InvalidKey:
            raise InvalidKey("There is no such API key, or it has ended.") from None
        if self._secret is None:
            await self.refresh()
        if self._secret is None:
            raise StorageUnavailable("The server cannot sign sessions right now.")
        issued = int(time.time())
        expires = issued + LONGEST_SECONDS
        if key.ends_at is not None:
            expires = min(expires, int(key.ends_at.timestamp()))
        return Session(key, expires, _signed({"key": key.id, "issued": issued, "expires": expires}, self._secret))

    def find(self, text: str) -> Session | None:
        """The session with this text; None if the text is not a valid session, or the session or its key has ended."""
        form = FORM.fullmatch(text)
        if form is None or self._secret is None:
            return None
        signed, payload, signature = form.groups()
        # The texts are compared, since several of them stand for the same bytes.
        if not hmac.compare_digest(_signature(signed, self._secret), signature):
            return None
        try:
            said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            key_id, expires = str(said["key"]), int(said["expires"])
        except (ValueError, TypeError, KeyError):  # signed by another release
            return None
        key = self._keyring.find(key_id) if time.time() < expires else None
        return None if key is None else Session(key, expires, text)

    def is_valid(self, session: Session) -> bool:
        """Whether a session that was valid before still is."""
        return self.find(session.text) is not None


def _signed(said: dict[str, str | int], secret: bytes) -> str:
    signed = f"v1.{_text(json.dumps(said, separators=(',', ':')).encode())}"
    return f"{signed}.{_signature(signed, secret)}"


def _signature(signed: str, secret: bytes) -> str:
    return _text(hmac.digest(secret, signed.encode(), hashlib.sha256))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _new_secret() -> bytes:
    return json.dumps({"secret": secrets.token_hex(SECRET_BYTES)}).encode()


def _secret_in(data: bytes | None) -> bytes:
    try:
        secret = bytes.fromhex(json.loads(data or b"")["secret"])
    except (ValueError, TypeError, KeyError):
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise StorageUnavailable("The server cannot sign sessions right now.") from Cause(
            f"{session_secret()} in the data folder is damaged; delete it, and everybody logs in again"
        )
    return secret
