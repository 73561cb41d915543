"""Which jobs a list shows, or a verb for many jobs changes, among those that the caller may see."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from quickthumb.model.errors import InvalidParameter
from quickthumb.model.job import Status

LONGEST_FILENAME = 255
# As long as a context may be in bytes; and as many conditions as a job may have tags.
LONGEST_CONTEXT = 2048
MOST_CONTEXTS = 16
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,307})(?:\.[0-9]{1,308})?(?:[eE][+-]?[0-9]{1,3})?")
# Whole numbers that have the same digits in JSON, also if they were floats.
_SHORT_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class ContextValue:
    """A value in the client's own object: where it is, as the keys that lead to it, and its text.

    A number is its text in JSON, in any notation; a boolean is `true` or `false`. Where the keys lead to a list, one of
    its entries must be the value.
    """

    path: tuple[str, ...]
    text: str

    @classmethod
    def read(cls, written: str) -> Self:
        """The value that is written as `order.id:4711`. Raises InvalidParameter."""
        keys, colon, text = written.partition(":")
        path = tuple(keys.split("."))
        if not colon or not all(path) or len(written) > LONGEST_CONTEXT:
            raise InvalidParameter(
                "context must be keys with dots between them, a colon and a value, such as order.id:4711, of up to "
                f"{LONGEST_CONTEXT} characters.",
                field="context",
            )
        return cls(path, text)

    @property
    def part_of_json(self) -> str | None:
        """A text that the JSON of every object with this value contains, in any notation; None if there is none."""
        is_number = _NUMBER.fullmatch(self.text) is not None
        is_plain = (_SHORT_NUMBER if is_number else _PLAIN_WORD).fullmatch(self.text) is not None
        return self.text if is_plain else None

    def is_in(self, context: object) -> bool:
        """Whether the object has this value."""
        found = context
        for key in self.path:
            if not isinstance(found, dict) or key not in found:
                return False
            found = found[key]
        return any(map(self._is, found)) if isinstance(found, list) else self._is(found)

    def _is(self, value: object) -> bool:
        match value:
            case str():
                return value == self.text
            case bool():
                return self.text == ("true" if value else "false")
            case int() | float():
                return _NUMBER.fullmatch(self.text) is not None and value == _number(self.text)
            case _:
                return False


@dataclass(frozen=True, slots=True)
class Selection:
    """Jobs that match all of this; None, or an empty value, matches any.

    They have the status and the tag, and were accepted before `before`, and at `after` or later. Their source has the
    format, if it is known yet, and a file name that contains `filename`, in any case. They FAILED with the code
    `error`. Their context has these values.
    """

    status: Status | None = None
    before: datetime | None = None
    tag: str | None = None
    after: datetime | None = None
    format: str | None = None
    error: str | None = None
    filename: str | None = None
    context: tuple[ContextValue, ...] = ()

    @property
    def needs_search(self) -> bool:
        """Whether no list holds exactly these jobs, so that records must be searched."""
        return not (self.format is self.error is self.filename is None and not self.context)

    def fits_source(self, source: Mapping[str, Any]) -> bool:
        """Whether a job's source matches."""
        if self.format is not None and source.get("format") != self.format:
            return False
        return self.filename is None or self.filename.casefold() in (source.get("filename") or "").casefold()

    def fits_order(self, order: Mapping[str, Any]) -> bool:
        """Whether a job's order matches."""
        if self.tag is not None and self.tag not in order.get("tag", ()):
            return False
        return not self.context or all(value.is_in(order.get("context")) for value in self.context)


# Selects all jobs.
ANY = Selection()


def _number(text: str) -> int | float:
    """Whole numbers exactly: they may have more digits than a float."""
    return int(text) if text.lstrip("-").isdigit() else float(text)
