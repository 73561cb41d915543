"""Finds jobs by filters that have no list of their own: searches the records of a list, a part at a time, newest first.

Redis does nothing else while it searches a part. It drops most records that cannot match, by their text; the rest are
parsed and compared here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json
from redis.asyncio import Redis

from quickthumb.model.job import to_milliseconds
from quickthumb.model.selection import Selection
from quickthumb.queue.script import RegisteredScript

# How many entries to look at in one round trip: they keep Redis busy for about a millisecond.
STEP = 100
# How many entries one search looks at, so that it takes about the same time however many jobs there are.
MOST_EXAMINED = 2_000
LATEST_MS = 9_999_999_999_999

# Fields of records.
TENANT, SOURCE, ERROR, ORDER = "tenant", "source", "error", "order"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of an index, in Redis' notation of ranges by text. Entries, `{created_ms}:{id}`, sort by age."""

    highest: str = "+"
    lowest: str = "-"

    def following(self, cursor: str | None) -> "Span":
        """What is older than this entry."""
        if cursor is None or (self.highest != "+" and self.highest < f"({cursor}"):
            return self
        return Span(f"({cursor}", self.lowest)


WHOLE = Span()


def span_between(after: datetime | None, before: datetime | None) -> Span:
    """The entries of items that were added before one moment, and at another one or later."""
    return Span("+" if before is None else f"({_place(before)}", "-" if after is None else f"[{_place(after)}")


def _place(moment: datetime) -> str:
    """What precedes all entries of that moment. Times are compared as text, so all have the same number of digits."""
    return f"{min(max(0, to_milliseconds(moment)), LATEST_MS):013}:"


@dataclass(frozen=True, slots=True)
class Found:
    """The ids of the jobs found, and the entry after which to continue; None if all were searched."""

    ids: tuple[str, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a listed job must match: the selection and, with `default_only`, that it belongs to the default tenant."""

    selection: Selection
    default_only: bool = False

    def terms(self) -> dict[str, str]:
        """The fields to check, each with a text that it must contain; empty for one that may be missing."""
        return dict(self._terms())

    def _terms(self) -> Iterator[tuple[str, str]]:
        wanted = self.selection
        if self.default_only:
            yield TENANT, ""
        if wanted.format is not None or wanted.filename is not None:
            yield SOURCE, '"filename"' if wanted.format is None else f'"{wanted.format}"'
        if wanted.error is not None:
            yield ERROR, f'"{wanted.error}"'
        if wanted.tag is not None:
            yield ORDER, f'"{wanted.tag}"'
        elif wanted.context:
            yield ORDER, next(filter(None, (value.part_of_json for value in wanted.context)), '"context"')

    def hold(self, fields: Mapping[str, bytes | None]) -> bool:
        """Whether the job whose record has these fields matches."""
        if self.default_only and fields[TENANT] is not None:
            return False
        if SOURCE in fields and not self.selection.fits_source(_decoded(fields[SOURCE])):
            return False
        if ERROR in fields and _decoded(fields[ERROR]).get("code") != self.selection.error:
            return False
        return ORDER not in fields or self.selection.fits_order(_decoded(fields[ORDER]))


class Search:
    """Searches lists of jobs. Raises redis-py's errors."""

    def __init__(self, redis: Redis, record_prefix: str) -> None:
        self._examine = RegisteredScript(redis, "examine")
        self._record_prefix = record_prefix

    async def find(self, index: str, span: Span, conditions: Conditions, *, limit: int) -> Found:
        """Up to `limit` jobs in this part of an index that match the conditions, newest first.

        Searches at most MOST_EXAMINED entries, in one round trip for each STEP, so it may find fewer, or none, although
        more exist.
        """
        terms, found, last = conditions.terms(), list[bytes](), b""
        flat = [word for pair in terms.items() for word in pair]
        for _ in range(0, MOST_EXAMINED, STEP):
            last, *items = await self._examine(
                index=index,
                record_prefix=self._record_prefix,
                highest=span.highest,
                lowest=span.lowest,
                most=STEP,
                terms=flat,
            )
            for entry, values in zip(items[::2], items[1::2], strict=True):
                if conditions.hold(dict(zip(terms, values, strict=True))):
                    found.append(entry)
                    if len(found) == limit:
                        return Found(_ids(found), None if not last and entry == items[-2] else entry.decode())
            if not last:
                return Found(_ids(found), None)
            span = span.following(last.decode())
        return Found(_ids(found), last.decode())


def _ids(entries: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(entry.decode().partition(":")[2] for entry in entries)


def _decoded(text: bytes | None) -> Mapping[str, Any]:
    decoded: Mapping[str, Any] = from_json(text) if text else {}
    return decoded
