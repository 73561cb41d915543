"""Uses the results of another job for the same image and the same outputs, in place of making them once more.

A job names itself in Redis before it is rendered, so of several jobs at once, on any workers, one is rendered and the
others wait for it. Redis only says which job to look at; the storage says whether its results can be used.
"""

import contextlib
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import PIL

from quickthumb import __version__
from quickthumb.model.job import Job, Outcome, Status, now
from quickthumb.model.retention import seconds_in
from quickthumb.model.source import Source
from quickthumb.queue.attempts import NO_FIELDS, Attempt
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.keys import Kind, in_redis
from quickthumb.queue.twins import TwinIndex
from quickthumb.storage import Storage

# The releases that render: others may make other files of the same image.
RENDERING_VERSION = f"{__version__}+{PIL.__version__}"
# How soon a job looks again for the results of another one, and after how many attempts it makes its own: after about
# three minutes, more than an attempt may take. The other job may be waiting for something else by then.
SHORTEST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
MOST_LOOKS = 40
# Results that are kept for less than this may take longer to make.
LEAST_NAMED_SECONDS = 3600
# What a job's source has of its own, whatever others found out about the same bytes.
_OWN_FACTS = {"filename", "url"}


class TwinUnderWay(Exception):
    """Another job is making the results. The attempt is to be repeated after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds
        self.fields = NO_FIELDS


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken over: the outcome, and the job that the results come from, which keeps them until `until`."""

    outcome: Outcome
    other_id: str
    until: datetime


class Twins:
    """Finds the results of other jobs of the same tenant, for jobs that ask for it; with `by_default`, for all
    except those that ask not to.

    `keeps_label` is the setting, on which results depend.
    """

    def __init__(self, index: TwinIndex, storage: Storage, kind: Kind, *, by_default: bool, keeps_label: bool) -> None:
        self._index = index
        self._storage = storage
        self._kind = kind
        self._by_default = by_default
        self._keeps_label = keeps_label

    def wanted(self, job: Job) -> bool:
        """Whether the job is to use the results of others."""
        asked: bool | None = job.order.get("dedupe")
        return self._by_default if asked is None else asked

    async def take_over(self, attempt: Attempt, job: Job, folder: Path) -> Taken | None:
        """Puts the results of another job into the folder. Returns None if there are none, and this job is to make
        them; then the folder is empty.

        Raises TwinUnderWay while another job is making them, QueueUnavailable and the errors of the storage.
        """
        digest = self._digest(job)
        other_id = await self._index.name(digest, job.id, self._named_seconds(job))
        while other_id is not None:
            taken = await self._taken(attempt, job, other_id, folder)
            if taken is not None:
                return taken
            # The other job has no results that can be used. This one takes its place, if it is the first to do so.
            other_id = await self._index.name(digest, job.id, self._named_seconds(job), instead_of=other_id)
        return None

    async def concluded(self, job: Job, taken: Taken) -> None:
        """Call it once the job's results are in place: if this job keeps them for longer, later jobs will look at this
        one."""
        if now() + timedelta(seconds=self._kept_seconds(job)) > taken.until:
            with contextlib.suppress(QueueUnavailable):
                await self._index.name(self._digest(job), job.id, self._named_seconds(job), instead_of=taken.other_id)

    async def _taken(self, attempt: Attempt, job: Job, other_id: str, folder: Path) -> Taken | None:
        kept = await self._storage.look_up(other_id)
        if kept.record is None:
            return None
        if kept.outcome is None:
            if attempt.number >= MOST_LOOKS:
                return None
            raise TwinUnderWay(min(LONGEST_PAUSE_SECONDS, SHORTEST_PAUSE_SECONDS * 2 ** min(attempt.number, 10)))
        other, ended = Job.from_record(kept.record), Outcome.model_validate_json(kept.outcome)
        if ended.status is not Status.DONE or not _is_same(job, other, ended.source):
            return None
        if not await self._storage.link_results(other_id, [result.filename for result in ended.results], folder):
            return None
        found = ended.source.model_dump(exclude=_OWN_FACTS)
        source = job.source.model_copy(update=found)
        outcome = Outcome(
            status=Status.DONE, finished_at=now(), source=source, results=ended.results, deduplicated=True
        )
        return Taken(outcome, other_id, ended.finished_at + timedelta(seconds=self._kept_seconds(other)))

    def _digest(self, job: Job) -> str:
        """A digest of everything that the results depend on, and of the tenant, since tenants share nothing."""
        told = [job.tenant, job.source.sha256, job.outputs, self._keeps_label, RENDERING_VERSION]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def _kept_seconds(self, job: Job) -> int:
        """How long the job's results are kept."""
        return self._kind.kept_seconds(job.tenant) if job.keep is None else in_redis(seconds_in(job.keep))

    def _named_seconds(self, job: Job) -> int:
        """How long the job stays named: while it makes its results, and while it keeps them."""
        return max(LEAST_NAMED_SECONDS, self._kept_seconds(job))


def _is_same(job: Job, other: Job, source: Source) -> bool:
    """Whether the two jobs ask for the same, whatever Redis says. `source` is what is known of the other's source."""
    return other.tenant == job.tenant and source.sha256 == job.source.sha256 and other.outputs == job.outputs
