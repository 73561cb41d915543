"""How jobs are named, and how moments are kept: in whole milliseconds, UTC."""

import secrets
from datetime import UTC, datetime


def new_id() -> str:
    """128 random bits, in hexadecimal: neither to be guessed nor to be counted."""
    return secrets.token_hex(16)


def is_id(text: str) -> bool:
    """Whether `text` could be a job's id; nothing else may become part of a key or a path."""
    return len(text) == 32 and all(character in "0123456789abcdef" for character in text)


def now() -> datetime:
    """The time, in whole milliseconds, as it is kept and shown."""
    return from_milliseconds(int(datetime.now(UTC).timestamp() * 1000))


def from_milliseconds(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def to_milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
