"""Verbs for many jobs at once, such as retrying all that FAILED.

Each call does a bounded part of the work and says where the next one goes on. It can be repeated: what was done already
is skipped.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from quickthumb.model.caller import Caller
from quickthumb.model.job import Job, Status, to_milliseconds
from quickthumb.service.errors import UnknownJob, WrongState
from quickthumb.service.jobs import ImageService

# One call changes at most this many jobs, and begins no other after this time.
LARGEST_BULK = 1000
BULK_SECONDS = 10.0
PAGE = 100
LATEST_MS = 9_999_999_999_999

Verb = Callable[[Caller, str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Selection:
    """The jobs with a status, of those the ones accepted before a moment, of those the ones with a tag. None selects
    jobs of any status or age, and with any tags."""

    status: Status | None = None
    before: datetime | None = None
    tag: str | None = None

    def beginning(self, cursor: str | None = None) -> str | None:
        """The cursor with which to begin, or to go on after `cursor`: jobs are listed by their places, newest first."""
        if self.before is None:
            return cursor
        # Places are compared as text, so all times have the same number of digits.
        newest = f"{min(max(0, to_milliseconds(self.before)), LATEST_MS):013}:"
        return newest if cursor is None else min(cursor, newest)


@dataclass(frozen=True, slots=True)
class BulkReport:
    """What one call did: how many jobs it changed, how many it could not change, by the code of the error, and the
    cursor with which the next call goes on; None if all is done."""

    count: int
    skipped: Mapping[str, int]
    cursor: str | None


async def for_each(
    service: ImageService, verb: Verb, caller: Caller, selection: Selection, *, limit: int, cursor: str | None = None
) -> BulkReport:
    """Calls `verb`, which is one of the service's, for up to `limit` of the caller's selected jobs, newest first.

    Jobs that the verb cannot change, for example because their status has changed in the meantime, are skipped. Any
    other error ends the call; then the same call can be repeated.
    """
    deadline = time.monotonic() + BULK_SECONDS
    position, count, skipped = selection.beginning(cursor), 0, Counter[str]()
    while True:
        left = min(PAGE, limit - count - skipped.total())
        page = await service.page(caller, status=selection.status, tag=selection.tag, limit=left, cursor=position)
        for job in page.jobs:
            try:
                await verb(caller, job.id)
                count += 1
            except (UnknownJob, WrongState) as error:
                skipped[error.code] += 1
            if time.monotonic() > deadline:
                return BulkReport(count, skipped, _place(job))
        position = page.cursor
        if position is None or count + skipped.total() >= limit:
            return BulkReport(count, skipped, position)


def _place(job: Job) -> str:
    return f"{to_milliseconds(job.created_at)}:{job.id}"
