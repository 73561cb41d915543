"""Where things lie below the data folder.

    uploads/5f0/5f0c…/source         the uploaded bytes
    uploads/5f0/5f0c…/job.json       the job's record
    uploads/.arriving/5f0c…/         a source on its way in
    processed/5f0/5f0c…/thumbnail.jpg
    processed/5f0/5f0c…/outcome.json how the job ended
    processed/.making/5f0c….token/   results on their way
    mail/5f0/5f0c…/record.json       an email that was accepted
    mail/5f0/5f0c…/outcome.json      how the sending of it ended

What is in a dotted folder is not there yet; one rename of a folder makes it be there, whole. The first three digits
of the id spread the jobs over 4,096 folders, so that a million jobs make some 250 entries in each.
"""

import re
from pathlib import Path

UPLOADS = "uploads"
PROCESSED = "processed"
MAIL = "mail"
ARRIVING = ".arriving"
MAKING = ".making"
SOURCE = "source"
RECORD = "job.json"
OUTCOME = "outcome.json"

SHARD_DIGITS = 3
SHARD_NAME = re.compile(r"[0-9a-f]{3}")
JOB_NAME = re.compile(r"[0-9a-f]{32}")


def place_of(area: Path, job_id: str) -> Path:
    """The folder of a job in `uploads` or `processed`."""
    return area / job_id[:SHARD_DIGITS] / job_id


def mail_record(mail_id: str) -> str:
    """The key of an email's record."""
    return f"{MAIL}/{mail_id[:SHARD_DIGITS]}/{mail_id}/record.json"


def mail_outcome(mail_id: str) -> str:
    """The key of an email's outcome."""
    return f"{MAIL}/{mail_id[:SHARD_DIGITS]}/{mail_id}/{OUTCOME}"
