"""Every Redis key that QuickThumb uses and how long it lives, and the kinds of items that are queued.

The setting REDIS_PREFIX replaces `quickthumb`. The keys that arq keeps for each id have names of arq's own. They need
no prefix: ids are random, so no two deployments or applications have the same.

| key | type | holds | lives |
|---|---|---|---|
| `quickthumb:job:{id}` | hash | a job | `WAITING_SECONDS` after its acceptance; once it has ended, the retention time |
| `quickthumb:jobs` | sorted set | all jobs by age | trimmed about once a minute; expires with its newest job |
| `quickthumb:jobs:{status}` | sorted set | the jobs with one status by age | like `quickthumb:jobs` |
| `quickthumb:mail:{id}` | hash | an email | `EMAIL_SECONDS` after its acceptance, and again after its end |
| `quickthumb:emails` | sorted set | all emails by age | like `quickthumb:jobs` |
| `quickthumb:emails:{status}` | sorted set | the emails with one status by age | like `quickthumb:jobs` |
| `quickthumb:emails:accepted` | sorted set | the emails that were accepted lately, for the rate | `RATE_SECONDS` |
| `quickthumb:emails:accepted:{sha256}` | sorted set | those to one address | `RATE_SECONDS` |
| `quickthumb:delivery:{id}` | hash | a delivery to a webhook | `DELIVERY_SECONDS`, and again after its end |
| `quickthumb:deliveries` | sorted set | all deliveries by age | like `quickthumb:jobs` |
| `quickthumb:deliveries:{status}` | sorted set | the deliveries with one status by age | like `quickthumb:jobs` |
| `quickthumb:deliveries:of:{id}` | sorted set | those of one webhook or job, by age | twice `DELIVERY_SECONDS` |
| `quickthumb:wake` | list | one token for each item that a sleeping worker should look for | `WAKE_SECONDS` |
| `quickthumb:workers` | sorted set | the workers by their last heartbeat | `WORKERS_SECONDS` |
| `quickthumb:workers:paused` | sorted set | the paused workers by their last heartbeat | `WORKERS_SECONDS` |
| `quickthumb:totals` | hash | counters of the workers' attempts, for the metrics | forever: counters must not go back |
| `quickthumb:history:{span}` | hash | snapshots of the totals over an hour, a day, a week | twice the span |
| `quickthumb:idempotency:{sha256}` | string | an Idempotency-Key's claim, then its record | the upload, then a day |
| `quickthumb:rebuilt` | string | the run of Redis for which all records were read | forever: a wiped Redis lacks it |
| `quickthumb:housekeeper` | string | the worker that does repairs and the sweep | `REPAIR_LEAD_SECONDS`, renewed |
| `quickthumb:storage` | string | the id of the storage with the records | forever: a wiped Redis takes the id anew |
| `quickthumb:probe` | string | nothing: written to check that Redis accepts writes | `PROBE_SECONDS` |
| `quickthumb:events` | channel | `{id} {status}` at every change, except when a rebuild restores it | not stored |
| `quickthumb:queue` | sorted set | ids of jobs and emails by due time | forever: entries are removed as items end |
| `quickthumb:queue:large` | set | those of the ids that are known to be large jobs | forever: as the queue |
| `quickthumb:alive:{worker}` | string | arq's health line of one worker, for `arq --check` | seconds (arq) |
| `arq:job:{id}` | string | the function for arq to call, and the id | `WAITING_SECONDS`; for emails `EMAIL_SECONDS` |
| `arq:in-progress:{id}` | string | the lease of a running attempt | the lease time, renewed while the attempt runs |
| `arq:retry:{id}` | string | the count of tries of an older release's arq | a day (arq) |
"""

import hashlib
from dataclasses import dataclass

from arq.constants import default_queue_name, in_progress_key_prefix, job_key_prefix, retry_key_prefix

from quickthumb.model.job import Status

DAY_SECONDS = 86_400
WAITING_SECONDS = 30 * DAY_SECONDS
EMAIL_SECONDS = DAY_SECONDS
# Longer than all attempts at a delivery take, with their pauses; and longer than that.
TRIED_SECONDS = 4 * DAY_SECONDS
DELIVERY_SECONDS = 5 * DAY_SECONDS
WAKE_SECONDS = 60
WORKERS_SECONDS = 60
PROBE_SECONDS = 60
REPAIR_LEAD_SECONDS = 30
RATE_SECONDS = 3600
IDEMPOTENCY_SECONDS = DAY_SECONDS
# The claim on an Idempotency-Key is renewed while the upload arrives; after its web process dies, it lasts this long.
CLAIM_SECONDS = 30

# The queue that every arq application uses unless it names another, as QuickThumb did up to 0.1.0.
OLD_QUEUE = default_queue_name


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of queued item.

    `function` is the name of the function that arq calls for it. `record` and `index` are parts of the names of its
    keys, `totals` is the prefix of its counters. Redis forgets an item `waiting_seconds` after its acceptance if it
    does not end, and otherwise `retention_seconds` after its end. An item that only waits for another server needs no
    place of a worker (`takes_place`): images have those.
    """

    name: str
    function: str
    record: str
    index: str
    totals: str
    waiting_seconds: int
    retention_seconds: int
    takes_place: bool = True

    @property
    def index_seconds(self) -> int:
        """The longest time that an item can live; its index entries are dropped after that."""
        return self.waiting_seconds + self.retention_seconds


# A job's retention time is a setting: `jobs.JobStore` has its own copy of this kind, with the configured time.
JOB = Kind("job", "process", "job", "jobs", "", WAITING_SECONDS, 7 * DAY_SECONDS)
DELIVERY = Kind(
    "delivery", "deliver", "delivery", "deliveries", "webhook:", DELIVERY_SECONDS, DELIVERY_SECONDS, takes_place=False
)
EMAIL = Kind("email", "send_email", "mail", "emails", "email:", EMAIL_SECONDS, EMAIL_SECONDS)


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of the keys, which share one prefix."""

    prefix: str = "quickthumb"

    @property
    def queue(self) -> str:
        """The queue that arq reads."""
        return f"{self.prefix}:queue"

    @property
    def large(self) -> str:
        """The large ones of what is queued, as far as they are known: a large job may be missing, for example after
        Redis was wiped, until a worker finds out."""
        return f"{self.prefix}:queue:large"

    def alive(self, worker: str) -> str:
        """The key of a worker's health line."""
        return f"{self.prefix}:alive:{worker}"

    @property
    def wake(self) -> str:
        return f"{self.prefix}:wake"

    @property
    def workers(self) -> str:
        return f"{self.prefix}:workers"

    @property
    def paused_workers(self) -> str:
        return f"{self.prefix}:workers:paused"

    @property
    def storage(self) -> str:
        return f"{self.prefix}:storage"

    @property
    def totals(self) -> str:
        return f"{self.prefix}:totals"

    def history(self, span: str) -> str:
        """The snapshots of the totals over a span of time."""
        return f"{self.prefix}:history:{span}"

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
        """The index of all items of a kind, or of those with one status. The scripts derive the second name from the
        first."""
        return f"{self.prefix}:{kind.index}" + (f":{status}" if status else "")

    def idempotency(self, key: str) -> str:
        """The Redis key of an idempotency record. Contains a hash, since the Idempotency-Key is the client's text."""
        return f"{self.prefix}:idempotency:{hashlib.sha256(key.encode()).hexdigest()}"

    def email_rate(self, mailbox: str | None = None) -> str:
        """The emails that count for the rate in all, or for that of one mailbox, whose name is hashed."""
        own = "" if mailbox is None else f":{hashlib.sha256(mailbox.encode()).hexdigest()}"
        return f"{self.prefix}:{EMAIL.index}:accepted{own}"

    def deliveries_of(self, owner: str) -> str:
        """The deliveries of a webhook or a job."""
        return f"{self.prefix}:{DELIVERY.index}:of:{owner}"

    @staticmethod
    def call(item_id: str) -> str:
        """The Redis key of arq's entry for the item, which says which function to call."""
        return job_key_prefix + item_id

    @staticmethod
    def lease(item_id: str) -> str:
        """The Redis key of the lease, held by the worker that runs the item. arq leaves the item alone meanwhile."""
        return in_progress_key_prefix + item_id

    @staticmethod
    def tries(item_id: str) -> str:
        """The Redis key in which the arq of an older release counts tries. QuickThumb counts attempts itself, since
        arq's count also grows with each restart of a worker."""
        return retry_key_prefix + item_id

    def places(self, kind: Kind, item_id: str) -> dict[str, str]:
        """Every key that a script may need for an item, by the name that the scripts use for it."""
        return {
            "record": self.record(kind, item_id),
            "index": self.index(kind),
            "call": self.call(item_id),
            "lease": self.lease(item_id),
            "tries": self.tries(item_id),
            "queue": self.queue,
            "large": self.large,
            "wake": self.wake,
            "totals": self.totals,
            "events": self.events,
        }


KEYS = Keys()
