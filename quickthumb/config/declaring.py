"""What the declaration of a setting is made of: units, types and marks that the sections share."""

import json
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE
DAY_SECONDS = 86_400

STRICT = ConfigDict(extra="forbid", validate_default=True)


class Called(str):
    """Gives the name of a setting that is not named after its field."""


def _split_at_commas(value: object) -> object:
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _read_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value or "{}")
    except ValueError:
        raise ValueError("must be JSON if given as text") from None


# An environment variable holds an object as JSON text.
Json = BeforeValidator(_read_json)
# An environment variable holds a list as text with commas, and an empty text means that the setting has no value.
Words = Annotated[tuple[str, ...], BeforeValidator(_split_at_commas)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_split_at_commas)]
EmptyIsNone = BeforeValidator(_none_if_empty)
