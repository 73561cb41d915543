"""Every Redis key that QuickThumb uses, with how long it lives.

| key | type | holds | lives |
|---|---|---|---|
| `quickthumb:job:{id}` | hash | the job | `WAITING_SECONDS` from its acceptance; after its end, the retention time |
| `quickthumb:jobs` | sorted set | all jobs by age | trimmed at each acceptance; expires with its newest job |
| `quickthumb:jobs:{status}` | sorted set | the jobs of one status by age | likewise |
| `quickthumb:mail:{id}` | hash | an email that is to be sent, or how that went | `MAIL_SECONDS`; again after its end |
| `quickthumb:mails` | sorted set | emails that wait to be sent, by age | `MAIL_SECONDS` from the newest one |
| `quickthumb:wake` | list | one token for each job a sleeping worker should look for | `WAKE_SECONDS` |
| `quickthumb:workers` | sorted set | each worker by its last sign of life | `WORKERS_SECONDS` |
| `quickthumb:totals` | hash | counts of what workers did, for metrics | for good: counters must not go back |
| `quickthumb:idempotency:{sha256}` | string | what an Idempotency-Key was used for | its upload, then a day |
| `quickthumb:rebuilt` | string | for which run of Redis the records were read | for good: it tells an emptied Redis |
| `quickthumb:housekeeper` | string | the worker that is keeping house | `HOUSEKEEPER_SECONDS`, renewed |
| `quickthumb:probe` | string | nothing: written to see that Redis takes writes | `PROBE_SECONDS` |
| `quickthumb:events` | channel | `{id} {status}` at every change | not kept |
| `arq:queue` | sorted set | ids of jobs and emails, by the time they are due | for good: an entry goes at the end |
| `arq:job:{id}` | string | what arq is to call | `WAITING_SECONDS`, of an email `MAIL_SECONDS` |
| `arq:in-progress:{id}` | string | the lease of a running job | the lease, renewed while the job runs |
| `arq:retry:{id}` | string | arq's own count of tries | a day (arq) |
| `arq:queue:health-check` | string | arq's health line, for `arq --check` | seconds (arq) |
"""

import hashlib

from arq.constants import default_queue_name, in_progress_key_prefix, job_key_prefix, retry_key_prefix

from quickthumb.model.job import Status

QUEUE = default_queue_name
ALL_JOBS = "quickthumb:jobs"
MAILS = "quickthumb:mails"
WAKE = "quickthumb:wake"
WORKERS = "quickthumb:workers"
TOTALS = "quickthumb:totals"
PROBE = "quickthumb:probe"
EVENTS = "quickthumb:events"
REBUILT = "quickthumb:rebuilt"
HOUSEKEEPER = "quickthumb:housekeeper"

WAITING_SECONDS = 30 * 86_400
MAIL_SECONDS = 86_400
WAKE_SECONDS = 60
WORKERS_SECONDS = 60
PROBE_SECONDS = 60
HOUSEKEEPER_SECONDS = 30
IDEMPOTENCY_SECONDS = 86_400
# A claim is renewed while its upload comes in; a web process that dies leaves it for no longer than this.
CLAIM_SECONDS = 30


def job(job_id: str) -> str:
    return f"quickthumb:job:{job_id}"


def mail(mail_id: str) -> str:
    return f"quickthumb:mail:{mail_id}"


def jobs_with(status: Status) -> str:
    return f"{ALL_JOBS}:{status}"


def idempotency(key: str) -> str:
    """What a client's Idempotency-Key was used for; the key is hashed, since it is the client's text."""
    return f"quickthumb:idempotency:{hashlib.sha256(key.encode()).hexdigest()}"


def call(job_id: str) -> str:
    """What arq is to call for the job."""
    return job_key_prefix + job_id


def lease(job_id: str) -> str:
    """Held by the worker that runs the job; arq leaves a job alone while it exists."""
    return in_progress_key_prefix + job_id


def tries(job_id: str) -> str:
    """arq's count of tries; QuickThumb counts attempts itself, since arq's also grow with each restart."""
    return retry_key_prefix + job_id
