"""Every Redis key that QuickThumb uses, with how long it lives, and the kinds of items that are queued.

| key | type | holds | lives |
|---|---|---|---|
| `quickthumb:job:{id}` | hash | a job | `WAITING_SECONDS` from its acceptance; after its end, the retention time |
| `quickthumb:jobs` | sorted set | all jobs by age | trimmed at each acceptance; expires with its newest job |
| `quickthumb:jobs:{status}` | sorted set | the jobs of one status by age | likewise |
| `quickthumb:mail:{id}` | hash | an email, or how the sending went | `EMAIL_SECONDS`; again after its end |
| `quickthumb:emails` | sorted set | all emails by age | like `quickthumb:jobs` |
| `quickthumb:emails:{status}` | sorted set | the emails of one status by age | likewise |
| `quickthumb:wake` | list | one token for each item that a sleeping worker should look for | `WAKE_SECONDS` |
| `quickthumb:workers` | sorted set | each worker by its last heartbeat | `WORKERS_SECONDS` |
| `quickthumb:totals` | hash | counts of what workers did, for metrics | for good: counters must not go back |
| `quickthumb:idempotency:{sha256}` | string | what an Idempotency-Key was used for | its upload, then a day |
| `quickthumb:rebuilt` | string | for which run of Redis the records were read | for good: it tells an emptied Redis |
| `quickthumb:housekeeper` | string | the worker that does repairs and the sweep | `REPAIR_LEAD_SECONDS`, renewed |
| `quickthumb:probe` | string | nothing: written to see that Redis takes writes | `PROBE_SECONDS` |
| `quickthumb:events` | channel | `{id} {status}` at every change | not kept |
| `arq:queue` | sorted set | ids of jobs and emails, by the time they are due | for good: an entry goes at the end |
| `arq:job:{id}` | string | what arq is to call | `WAITING_SECONDS`, of an email `EMAIL_SECONDS` |
| `arq:in-progress:{id}` | string | the lease of a running attempt | the lease, renewed while the attempt runs |
| `arq:retry:{id}` | string | arq's own count of tries | a day (arq) |
| `arq:queue:health-check` | string | arq's health line, for `arq --check` | seconds (arq) |
"""

import hashlib
from dataclasses import dataclass

from arq.constants import default_queue_name, in_progress_key_prefix, job_key_prefix, retry_key_prefix

from quickthumb.model.job import Status

DAY_SECONDS = 86_400
WAITING_SECONDS = 30 * DAY_SECONDS
EMAIL_SECONDS = DAY_SECONDS
WAKE_SECONDS = 60
WORKERS_SECONDS = 60
PROBE_SECONDS = 60
REPAIR_LEAD_SECONDS = 30
IDEMPOTENCY_SECONDS = DAY_SECONDS
# A claim is renewed while its upload comes in; a web process that dies leaves it for no longer than this.
CLAIM_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of item that is queued.

    `function` is the arq function that workers offer for it. `record` and `index` name its keys, `totals` is put before
    the names of its counters. An item that does not end is forgotten after `waiting_seconds`, one that has ended after
    `retention_seconds`.
    """

    name: str
    function: str
    record: str
    index: str
    totals: str
    waiting_seconds: int
    retention_seconds: int

    @property
    def index_seconds(self) -> int:
        """The longest that an item lives: its index entry is dropped after that."""
        return self.waiting_seconds + self.retention_seconds


# A job's retention time is a setting: `jobs.JobStore` has the kind with that.
JOB = Kind("job", "process", "job", "jobs", "", WAITING_SECONDS, 7 * DAY_SECONDS)
EMAIL = Kind("email", "send_email", "mail", "emails", "email:", EMAIL_SECONDS, EMAIL_SECONDS)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys below one prefix, and the queue that arq reads."""

    prefix: str = "quickthumb"
    queue: str = default_queue_name

    @property
    def wake(self) -> str:
        return f"{self.prefix}:wake"

    @property
    def workers(self) -> str:
        return f"{self.prefix}:workers"

    @property
    def totals(self) -> str:
        return f"{self.prefix}:totals"

    @property
    def rebuilt(self) -> str:
        return f"{self.prefix}:rebuilt"

    @property
    def repair_lead(self) -> str:
        """Named as in the first release, so that workers of both releases take turns."""
        return f"{self.prefix}:housekeeper"

    @property
    def probe(self) -> str:
        return f"{self.prefix}:probe"

    @property
    def events(self) -> str:
        return f"{self.prefix}:events"

    def record(self, kind: Kind, item_id: str) -> str:
        return f"{self.prefix}:{kind.record}:{item_id}"

    def index(self, kind: Kind, status: Status | None = None) -> str:
        """All items of a kind, or those of one status. The scripts derive the second from the first."""
        return f"{self.prefix}:{kind.index}" + (f":{status}" if status else "")

    def idempotency(self, key: str) -> str:
        """What a client's Idempotency-Key was used for; the key is hashed, since it is the client's text."""
        return f"{self.prefix}:idempotency:{hashlib.sha256(key.encode()).hexdigest()}"

    @staticmethod
    def call(item_id: str) -> str:
        """What arq is to call for the item."""
        return job_key_prefix + item_id

    @staticmethod
    def lease(item_id: str) -> str:
        """Held by the worker that runs the item; arq leaves an item alone while it exists."""
        return in_progress_key_prefix + item_id

    @staticmethod
    def tries(item_id: str) -> str:
        """arq's count of tries; QuickThumb counts attempts itself, since arq's also grows with each restart."""
        return retry_key_prefix + item_id

    def places(self, kind: Kind, item_id: str) -> dict[str, str]:
        """Every key that a script may need for an item, by the name that the scripts give it."""
        return {
            "record": self.record(kind, item_id),
            "index": self.index(kind),
            "call": self.call(item_id),
            "lease": self.lease(item_id),
            "tries": self.tries(item_id),
            "queue": self.queue,
            "wake": self.wake,
            "totals": self.totals,
            "events": self.events,
        }


KEYS = Keys()
