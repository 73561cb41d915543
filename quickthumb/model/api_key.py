"""API keys: the text that a client sends, and what the storage keeps of it, which is not enough to send it.

The form follows that of GitHub (https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/): a
prefix that scanners can look for, an id, a secret, and a checksum, which tells a key from a text that looks like one.
"""

import hashlib
import re
import secrets
import string
import zlib
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, field_validator

from quickthumb.model.allowance import NO_BOUNDS, NO_QUOTAS, Bounds, Quotas
from quickthumb.model.caller import DEFAULT_TENANT, Scope

PREFIX = "qt_"
DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_DIGITS = 12
SECRET_DIGITS = 32  # 190 bits, so that a fast hash is safe
CHECK_DIGITS = 6
FORM = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{ID_DIGITS}}})_[0-9A-Za-z]{{{SECRET_DIGITS + CHECK_DIGITS}}}")
TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class ApiKey(BaseModel):
    """A key without its secret: whose it is, what it may do, how much, and how long.

    `digest` is the SHA-256 of its text in hex.
    `ends_at` is when it expires or was revoked; None if it does not end. `revoked` tells the two apart.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    digest: str
    tenant: str = DEFAULT_TENANT
    scopes: frozenset[Scope]
    bounds: Bounds = NO_BOUNDS
    quotas: Quotas = NO_QUOTAS
    note: str = ""
    created_at: AwareDatetime
    ends_at: AwareDatetime | None = None
    revoked: bool = False

    @field_validator("quotas")
    @classmethod
    def _without_any(cls, value: Quotas) -> Quotas:
        """The one object that stands for none, so that requests need not compare."""
        return value if value.limit_anything else NO_QUOTAS

    def has_ended(self, moment: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= moment


def new_text() -> str:
    """The text of a new key."""
    random = "".join(secrets.choice(DIGITS) for _ in range(ID_DIGITS + SECRET_DIGITS))
    text = f"{PREFIX}{random[:ID_DIGITS]}_{random[ID_DIGITS:]}"
    return text + _checksum(text)


def id_in(text: str) -> str | None:
    """The id of the key with this text; None if the text is not that of any key."""
    found = FORM.fullmatch(text)
    if found is None or _checksum(text[:-CHECK_DIGITS]) != text[-CHECK_DIGITS:]:
        return None
    return found[1]


def digest_of(text: str) -> str:
    """What the storage keeps in place of the text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECK_DIGITS):
        number, digit = divmod(number, len(DIGITS))
        digits = DIGITS[digit] + digits
    return digits
