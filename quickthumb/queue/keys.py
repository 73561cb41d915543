"""Every Redis key that QuickThumb uses and how long it lives, and the kinds of items that are queued.

The setting REDIS_PREFIX replaces `quickthumb`. The keys that arq keeps for each id have names of arq's own. They need
no prefix: ids are random, so no two deployments or applications have the same.

| key | type | holds | lives |
|---|---|---|---|
| `quickthumb:job:{id}` | hash | a job | `WAITING_SECONDS` after it is due; after its end, as long as it is kept |
| `quickthumb:jobs` | sorted set | all jobs by age | trimmed at each sweep; expires with its last job |
| `quickthumb:jobs:{status}` | sorted set | the jobs with one status by age | like `quickthumb:jobs` |
| `quickthumb:jobs:of:{tenant}` | sorted set | the jobs of another tenant than `default` | like `quickthumb:jobs` |
| `quickthumb:jobs:of:#{sha256}` | sorted set | the jobs of any tenant with one tag | like `quickthumb:jobs` |
| `quickthumb:jobs:of:{list}:{status}` | sorted set | those of either with one status by age | like `quickthumb:jobs` |
| `quickthumb:lists` | sorted set | the names of these lists | forever: one is removed after its last job |
| `quickthumb:mail:{id}` | hash | an email | `EMAIL_SECONDS` after its acceptance, and again after its end |
| `quickthumb:emails` | sorted set | all emails by age | like `quickthumb:jobs` |
| `quickthumb:emails:{status}` | sorted set | the emails with one status by age | like `quickthumb:jobs` |
| `quickthumb:emails:accepted` | sorted set | the emails that were accepted lately, for the rate | `RATE_SECONDS` |
| `quickthumb:emails:accepted:{sha256}` | sorted set | those to one address | `RATE_SECONDS` |
| `quickthumb:delivery:{id}` | hash | a delivery to a webhook | `DELIVERY_SECONDS`, and again after its end |
| `quickthumb:deliveries` | sorted set | all deliveries by age | like `quickthumb:jobs` |
| `quickthumb:deliveries:{status}` | sorted set | the deliveries with one status by age | like `quickthumb:jobs` |
| `quickthumb:deliveries:of:{id}` | sorted set | those of one webhook, job or batch, by age | twice `DELIVERY_SECONDS` |
| `quickthumb:wake` | list | one token for each item that a sleeping worker should look for | `WAKE_SECONDS` |
| `quickthumb:workers` | sorted set | the workers by their last heartbeat | `WORKERS_SECONDS` |
| `quickthumb:workers:paused` | sorted set | the paused workers by their last heartbeat | `WORKERS_SECONDS` |
| `quickthumb:worker:{worker}` | string | what one worker says of itself | `WORKERS_SECONDS`, renewed |
| `quickthumb:totals` | hash | counters of the workers' attempts, for the metrics | forever: counters must not go back |
| `quickthumb:totals:of:{tenant}` | hash | counters of another tenant than `default` | forever, likewise |
| `quickthumb:history:{span}` | hash | snapshots of totals and queue over an hour, a day, a week | twice the span |
| `quickthumb:idempotency:{sha256}` | string | an Idempotency-Key's claim, then its record | the upload, then a day |
| `quickthumb:twin:{sha256}` | string | the job whose results others may use | like these; an hour at least |
| `quickthumb:policy:{sha256}` | sorted set | the uploads under way with a policy, by lease | `CLAIM_SECONDS`, renewed |
| `quickthumb:quota:{quota}:{subject}` | string | when a quota with a window will be full again, in µs | until then |
| `quickthumb:quota:unended_jobs:{subject}` | sorted set | jobs that have not ended | until the last expires |
| `quickthumb:quota:stored_bytes:{subject}` | hash | bytes of each source and results | until the last expires |
| `quickthumb:quota:stored_bytes:{subject}:ends` | sorted set | when each of these expires | until the last expires |
| `quickthumb:quota:event_streams:{subject}` | sorted set | open streams of events | `SEAT_SECONDS`, renewed |
| `quickthumb:rebuilt` | string | the run of Redis for which all records were read | forever: a wiped Redis lacks it |
| `quickthumb:retention` | string | the retention times by which ended items expire | forever: a wiped Redis lacks it |
| `quickthumb:housekeeper` | string | the worker that does repairs and the sweep | `REPAIR_LEAD_SECONDS`, renewed |
| `quickthumb:storage` | string | the id of the storage with the records | forever: a wiped Redis takes the id anew |
| `quickthumb:probe` | string | nothing: written to check that Redis accepts writes | `PROBE_SECONDS` |
| `quickthumb:changes` | stream | the last 10,000 changes or so, not what a rebuild restores | forever: bounded |
| `quickthumb:queue` | sorted set | ids of all that is queued, by due time | forever: entries are removed as items end |
| `quickthumb:queue:line:{class}` | sorted set | ids that wait in line, by group and due time | forever: as the queue |
| `quickthumb:queue:turns:{class}` | sorted set | the groups in the line, by turn | forever: as the queue |
| `quickthumb:queue:large` | set | those of the ids that are known to be large jobs | forever: as the queue |
| `quickthumb:alive:{worker}` | string | arq's health line of one worker, for `arq --check` | seconds (arq) |
| `arq:job:{id}` | string | the function for arq to call, and the id | like the record of an item that waits |
| `arq:in-progress:{id}` | string | the lease of a running attempt | the lease time, renewed while the attempt runs |
| `arq:retry:{id}` | string | the count of tries of an older release's arq | a day (arq) |

A job that is kept forever lives in Redis forever, which is written as `FOREVER_SECONDS`, and so do the indexes with it.
"""

import hashlib
import math
from dataclasses import dataclass

from arq.constants import default_queue_name, in_progress_key_prefix, job_key_prefix, retry_key_prefix

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Status
from quickthumb.model.priority import LONGEST_AHEAD_SECONDS
from quickthumb.model.quota import Policy
from quickthumb.model.retention import LONGEST_SECONDS

DAY_SECONDS = 86_400
# What is kept forever expires after so long: every key has a time to live, which can be compared with others.
FOREVER_SECONDS = LONGEST_SECONDS
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
# About how many changes the stream of events holds: a few minutes of a busy service, in about 1 MB.
MOST_EVENTS = 10_000
# How many attempts at a job its hash remembers, the latest ones.
MOST_PAST = 10
# The claims on an Idempotency-Key and on a policy are renewed while the upload arrives; after its web process dies,
# they last this long.
CLAIM_SECONDS = 30
# An open stream of events counts for so long after its web process has died.
SEAT_SECONDS = 60

# The scores of ids that stand in a line are lower than their due times by so much.
PARKED_MS = 10**13

# What the name of a tag's list begins with, and how many digits of a hash follow.
TAG_MARK = "#"
LIST_DIGITS = 32
# The names of tenants' lists come after this, those of tags before it.
AFTER_TAGS = chr(ord(TAG_MARK) + 1)

# The queue that every arq application uses unless it names another, as QuickThumb did up to 0.1.0.
OLD_QUEUE = default_queue_name


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of queued item.

    `function` is the name of the function that arq calls for it. `record` and `index` are parts of the names of its
    keys, `totals` is the prefix of its counters. Redis forgets an item `waiting_seconds` after its acceptance if it
    does not end, and otherwise `retention_seconds` after its end (math.inf: never), or after what `tenants_seconds` has
    for its tenant. The storage keeps a source for `source_seconds` after the end of its job, or for what
    `tenants_source_seconds` has. An item may be due as late as `ahead_seconds` after its acceptance; then the first of
    these times begins there. An item that only waits for another server needs no place of a worker (`takes_place`):
    images have those.
    """

    name: str
    function: str
    record: str
    index: str
    totals: str
    waiting_seconds: int
    retention_seconds: float
    ahead_seconds: int = 0
    source_seconds: float = 7 * DAY_SECONDS
    tenants_seconds: tuple[tuple[str, float], ...] = ()
    tenants_source_seconds: tuple[tuple[str, float], ...] = ()
    takes_place: bool = True

    def kept_seconds(self, tenant: str | None = None) -> int:
        """How long Redis keeps an item of this tenant after its end."""
        return in_redis(dict(self.tenants_seconds).get(tenant or DEFAULT_TENANT, self.retention_seconds))

    def kept_source_seconds(self, tenant: str | None = None) -> int:
        """How long the storage keeps the source of a job of this tenant after its end."""
        return in_redis(dict(self.tenants_source_seconds).get(tenant or DEFAULT_TENANT, self.source_seconds))

    @property
    def longest_kept_seconds(self) -> int:
        """How long Redis keeps an item after its end at most, unless the item says itself how long."""
        return in_redis(max(self.retention_seconds, *dict(self.tenants_seconds).values(), 0))

    @property
    def retention(self) -> str:
        """All its retention times as text, to tell whether they have changed."""
        times = (("", self.retention_seconds), *sorted(self.tenants_seconds))
        return f"{self.name} " + ",".join(f"{tenant}={in_redis(seconds)}" for tenant, seconds in times)

    @property
    def surely_alive_seconds(self) -> int:
        """An item that was added less than this ago has hardly expired, even if it ended at once. Only one that says
        itself how long it is to be kept may have."""
        return in_redis(min(self.waiting_seconds, self.retention_seconds, *dict(self.tenants_seconds).values()))


def list_name(tenant: str, tag: str | None = None) -> str:
    """The name of the list of a tenant's jobs, or of those that have the tag. Empty for all jobs, among which those of
    `default` are.

    That of a tag begins with `#`, which no tenant's name does. It contains a hash, since tags are the clients' text, of
    tenant and tag, so that two tenants never share a list.
    """
    if tag is not None:
        return f"{TAG_MARK}{hashlib.sha256(f'{tenant} {tag}'.encode()).hexdigest()[:LIST_DIGITS]}"
    return "" if tenant == DEFAULT_TENANT else tenant


def in_redis(seconds: float) -> int:
    """A length of time, which may be infinite, as the time to live of a key."""
    return math.ceil(min(seconds, FOREVER_SECONDS))


# A job's retention time is a setting: `jobs.JobStore` has its own copy of this kind, with the configured time.
JOB = Kind("job", "process", "job", "jobs", "", WAITING_SECONDS, 7 * DAY_SECONDS, LONGEST_AHEAD_SECONDS)
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

    def worker(self, worker: str) -> str:
        """What a worker says of itself."""
        return f"{self.prefix}:worker:{worker}"

    @property
    def storage(self) -> str:
        return f"{self.prefix}:storage"

    @property
    def lists(self) -> str:
        return f"{self.prefix}:lists"

    @property
    def totals(self) -> str:
        return f"{self.prefix}:totals"

    def history(self, span: str) -> str:
        """The snapshots of the totals over a span of time."""
        return f"{self.prefix}:history:{span}"

    def totals_of(self, tenant: str) -> str:
        """The counters of another tenant than `default`. The scripts derive this name from `totals`."""
        return f"{self.totals}:of:{tenant}"

    @property
    def rebuilt(self) -> str:
        return f"{self.prefix}:rebuilt"

    @property
    def retention(self) -> str:
        return f"{self.prefix}:retention"

    @property
    def repair_lead(self) -> str:
        """Named as in the first release, so that workers of both releases take turns."""
        return f"{self.prefix}:housekeeper"

    @property
    def probe(self) -> str:
        return f"{self.prefix}:probe"

    @property
    def events(self) -> str:
        """The stream of events. Releases up to 0.1.0 published on the channel `{prefix}:events` instead."""
        return f"{self.prefix}:changes"

    def record(self, kind: Kind, item_id: str) -> str:
        return f"{self.prefix}:{kind.record}:{item_id}"

    def index(
        self, kind: Kind, status: Status | None = None, tenant: str = DEFAULT_TENANT, tag: str | None = None
    ) -> str:
        """The index of all items of a kind, or of those with one status. `default` stands for all tenants; every other
        one has indexes of its own, and so has each tag of a tenant."""
        return self.list_index(kind, list_name(tenant, tag), status)

    def list_index(self, kind: Kind, name: str, status: Status | None = None) -> str:
        """The index with this name of a list; without a name, that of all items. The scripts derive all others from
        that one."""
        of = f":of:{name}" if name else ""
        return f"{self.prefix}:{kind.index}{of}" + (f":{status}" if status else "")

    def idempotency(self, key: str) -> str:
        """The Redis key of an idempotency record. Contains a hash, since the Idempotency-Key is the client's text."""
        return f"{self.prefix}:idempotency:{hashlib.sha256(key.encode()).hexdigest()}"

    def twin(self, digest: str) -> str:
        """The job that makes, or has, the results with this digest."""
        return f"{self.prefix}:twin:{digest}"

    def policy(self, digest: str) -> str:
        """The uploads under way with the policy of this digest."""
        return f"{self.prefix}:policy:{digest}"

    def email_rate(self, mailbox: str | None = None) -> str:
        """The emails that count for the rate in all, or for that of one mailbox, whose name is hashed."""
        own = "" if mailbox is None else f":{hashlib.sha256(mailbox.encode()).hexdigest()}"
        return f"{self.prefix}:{EMAIL.index}:accepted{own}"

    def deliveries_of(self, owner: str) -> str:
        """The deliveries of a webhook, a job or a batch."""
        return f"{self.prefix}:{DELIVERY.index}:of:{owner}"

    def quota(self, policy: Policy) -> str:
        """Where a quota of a subject is counted."""
        return f"{self.quotas}:{policy.counted}"

    @property
    def quotas(self) -> str:
        """What the names of all quotas begin with. The scripts derive them from it."""
        return f"{self.prefix}:quota"

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
            "lists": self.lists,
            "events": self.events,
            "quotas": self.quotas,
        }


KEYS = Keys()
