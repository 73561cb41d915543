"""Verbs for many jobs at once, such as retrying all that FAILED.

Each call does a bounded part of the work and says where the next one goes on. It can be repeated: what was done already
is skipped.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from quickthumb.model.caller import Caller
from quickthumb.model.job import Job, Status, to_milliseconds
from quickthumb.model.selection import Selection
from quickthumb.service.errors import UnknownJob, WrongState
from quickthumb.service.jobs import ImageService

# One call changes at most this many jobs, and begins no other after this time.
LARGEST_BULK = 1000
BULK_SECONDS = 10.0
PAGE = 100
# How many jobs one call may name by their ids.
MOST_NAMED = 200

Verb = Callable[[Caller, str], Awaitable[object]]


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
    position, count, skipped = cursor, 0, Counter[str]()
    while True:
        left = min(PAGE, limit - count - skipped.total())
        page = await service.page(caller, selection, limit=left, cursor=position)
        for job in page.jobs:
            count += await _done(verb, caller, job.id, skipped)
            if time.monotonic() > deadline:
                return BulkReport(count, skipped, _place(job))
        position = page.cursor
        # A search may find nothing for a long time.
        is_over = count + skipped.total() >= limit or time.monotonic() > deadline
        if position is None or is_over:
            return BulkReport(count, skipped, position)


async def for_named(verb: Verb, caller: Caller, job_ids: Sequence[str]) -> BulkReport:
    """Calls `verb` for each of these jobs, as `for_each` does. Unknown ones are skipped, too."""
    count, skipped = 0, Counter[str]()
    for job_id in job_ids:
        count += await _done(verb, caller, job_id, skipped)
    return BulkReport(count, skipped, None)


async def look_only(caller: Caller, job_id: str) -> None:
    """In place of a verb for jobs that were selected by what it needs: changes nothing."""


def look_closely(service: ImageService, statuses: Collection[Status]) -> Verb:
    """In place of a verb for jobs with one of these statuses: changes nothing, and raises UnknownJob and WrongState as
    the verb would."""

    async def look(caller: Caller, job_id: str) -> None:
        job = await service.find(caller, job_id)
        if job.status not in statuses:
            raise WrongState(f"The job is {job.status}.")

    return look


async def _done(verb: Verb, caller: Caller, job_id: str, skipped: Counter[str]) -> bool:
    """Calls the verb. Whether that did something; otherwise counts why not."""
    try:
        await verb(caller, job_id)
    except (UnknownJob, WrongState) as error:
        skipped[error.code] += 1
        return False
    return True


def _place(job: Job) -> str:
    return f"{to_milliseconds(job.created_at)}:{job.id}"
