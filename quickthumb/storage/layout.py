"""The keys under which everything is stored, made here and nowhere else.

    store.json                       the identity of the store
    uploads/5f0/5f0c…/source         the uploaded bytes
    uploads/5f0/5f0c…/job.json       the job's record
    uploads/5f0/5f0c…/delivered/     deliveries to webhooks that have ended, one object each
    uploads/5f0/5f0c…/change-1.json  the first change of its priority or its schedule, if there was one
    uploads/.arriving/5f0c…/         a source that is still arriving
    uploads/.arriving/5f0c….token/   a source that one attempt fetches
    uploads/.removed/5f0c…           the tombstone of a job that was removed
    processed/5f0/5f0c…/thumbnail.jpg
    processed/5f0/5f0c…/outcome.json how the job ended
    processed/5f0/5f0c…/keep         how long to keep the job after its end, if its order says so: `forever` or `30d`
    processed/.making/5f0c….token/   the workspace of one attempt
    mail/5f0/5f0c…/record.json       an accepted email
    mail/5f0/5f0c…/outcome.json      how sending it ended
    webhooks/5f0c….json              a webhook; beside it, more of its secrets and whether it is gone
    keys/4hVq0zTn8sLb.json           an API key; beside it, what ends it
    sessions/secret.json             what signs the sessions of those who have logged in on the page
    batches/5f0/5f0c…/record.json    a batch, from its first image on
    batches/5f0/5f0c…/contents.json  the images of the batch, once no more can come
    batches/5f0/5f0c…/end.json       how the batch ended, once all its jobs have
    batches/5f0/5f0c…/delivered/     deliveries to webhooks that have ended and tell of that, one object each
    policies/495622/5f0c….0.json     the first use of an upload policy, below the hour in which the policy expires

A file storage uses the keys as paths below its data folder. Nothing in a dotted folder counts as stored: renaming a
folder to its place makes everything in it appear at once. The first three digits of the id spread the jobs over 4,096
folders, so a million jobs make about 250 entries in each.
"""

import re

STORE = "store.json"
UPLOADS = "uploads"
PROCESSED = "processed"
MAIL = "mail"
POLICIES = "policies"
BATCHES = "batches"
KEYS = "keys"
WEBHOOKS = "webhooks"
SESSIONS = "sessions"
ARRIVING = ".arriving"
REMOVED = ".removed"
MAKING = ".making"
SOURCE = "source"
RECORD = "job.json"
OUTCOME = "outcome.json"
KEEP = "keep"

SHARD_DIGITS = 3
SHARD_NAME = re.compile(r"[0-9a-f]{3}")
JOB_NAME = re.compile(r"[0-9a-f]{32}")
# What `objects.create` writes beside a file before the file gets its name.
BEING_WRITTEN = re.compile(r"\.[A-Za-z0-9.]+\.[0-9a-f]{16}")
HOUR_NAME = re.compile(r"[0-9]+")
_HOUR_SECONDS = 3600


def upload_folder(job_id: str) -> str:
    """The folder of a job's source and record."""
    return _folder(UPLOADS, job_id)


def result_folder(job_id: str) -> str:
    """The folder of a job's results and outcome."""
    return _folder(PROCESSED, job_id)


def source_key(job_id: str) -> str:
    """The key of a job's source."""
    return f"{upload_folder(job_id)}/{SOURCE}"


def record_key(job_id: str) -> str:
    """The key of a job's record."""
    return f"{upload_folder(job_id)}/{RECORD}"


def change_key(job_id: str, number: int) -> str:
    """The key of a change to a job that waited: the first is number 1."""
    return f"{upload_folder(job_id)}/change-{number}.json"


def outcome_key(job_id: str) -> str:
    """The key of a job's outcome."""
    return f"{result_folder(job_id)}/{OUTCOME}"


def keep_key(job_id: str) -> str:
    """The key of what says how long a job is to be kept after its end."""
    return f"{result_folder(job_id)}/{KEEP}"


def tombstone_key(job_id: str) -> str:
    """The key of the tombstone of a job that was removed."""
    return f"{UPLOADS}/{REMOVED}/{job_id}"


def result_key(job_id: str, filename: str) -> str:
    """The key of one of a job's results."""
    return f"{result_folder(job_id)}/{filename}"


def delivered_folder(job_id: str) -> str:
    """What the keys of a job's ended deliveries begin with. They are beside the record: results are moved as a whole,
    and the job may be retried while a delivery is under way."""
    return f"{upload_folder(job_id)}/delivered/"


def delivered_key(job_id: str, delivery_id: str) -> str:
    """The key of one of a job's deliveries that has ended."""
    return f"{delivered_folder(job_id)}{delivery_id}.json"


def mail_record(mail_id: str) -> str:
    """The key of an email's record."""
    return f"{_folder(MAIL, mail_id)}/record.json"


def mail_outcome(mail_id: str) -> str:
    """The key of an email's outcome."""
    return f"{_folder(MAIL, mail_id)}/{OUTCOME}"


def batch_record(batch_id: str) -> str:
    """The key of a batch's record."""
    return f"{_folder(BATCHES, batch_id)}/record.json"


def batch_contents(batch_id: str) -> str:
    """The key of what a batch has, once it is complete."""
    return f"{_folder(BATCHES, batch_id)}/contents.json"


def session_secret() -> str:
    """The key of the secret that signs sessions."""
    return f"{SESSIONS}/secret.json"


def batch_end(batch_id: str) -> str:
    """The key of how a batch ended, once all its jobs have."""
    return f"{_folder(BATCHES, batch_id)}/end.json"


def batch_delivered_folder(batch_id: str) -> str:
    """Where the deliveries that tell of a batch are, once they have ended."""
    return f"{_folder(BATCHES, batch_id)}/delivered/"


def batch_delivered_key(batch_id: str, delivery_id: str) -> str:
    """The key of one of a batch's deliveries that has ended."""
    return f"{batch_delivered_folder(batch_id)}{delivery_id}.json"


def delivered_place(delivery_id: str, job_id: str | None, batch_id: str | None) -> str | None:
    """The key of a delivery that has ended, and that tells of this job or of this batch; None for what tells of
    neither."""
    if job_id is not None:
        return delivered_key(job_id, delivery_id)
    return None if batch_id is None else batch_delivered_key(batch_id, delivery_id)


def policy_use(digest: str, expires: int, number: int) -> str:
    """The key of one use of an upload policy: below the hour in which it expires, so that the sweep reads none."""
    return f"{POLICIES}/{expires // _HOUR_SECONDS}/{digest}.{number}.json"


def policy_uses_expire_before(key: str) -> int:
    """A moment, in seconds since 1970, by which the policy of this use has expired."""
    return (int(key.split("/")[1]) + 1) * _HOUR_SECONDS


def _folder(area: str, name: str) -> str:
    return f"{area}/{name[:SHARD_DIGITS]}/{name}"
