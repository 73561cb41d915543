"""Emails that tell how a job has ended: which are owed, and what they say."""

import asyncio
from datetime import timedelta
from email.message import EmailMessage

from quickthumb.imaging.formats import FORMATS
from quickthumb.model.email import Email, notice_id
from quickthumb.model.job import Job, Outcome, Result, Status, now
from quickthumb.notify.message import Attachment, greeting, notice
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.keys import EMAIL_SECONDS
from quickthumb.storage import Storage
from quickthumb.storage.layout import mail_record

TOLD = frozenset({Status.DONE, Status.FAILED})
# A larger result is not attached: many mail servers refuse messages of 10 MB, and base64 adds a third.
LARGEST_ATTACHMENT_BYTES = 5 * 1024 * 1024
FILES = {row.name: (row.media_type, row.extension) for row in FORMATS}

READY = """\
Your image is ready

Hello,

the image that you sent is ready.
{picture}
{results}

Job: {job_id}
Its results: {url}
"""
FAILED = """\
Your image could not be processed

Hello,

the image that you sent could not be processed: {reason}.

Job: {job_id}
"""
CHANGED = """\
{subject}

Hello,

{text} In the meantime, the job was tried again, or removed.

Job: {job_id}
"""
ENDED = {
    Status.DONE: ("Your image is ready", "the image that you sent was ready."),
    Status.FAILED: ("Your image could not be processed", "the image that you sent could not be processed."),
}


class EmailNotices:
    """Queues the emails that orders ask for. An email is owed because record and outcome of its job say so, under an id
    that follows from them; its own record is in the storage before it is in the queue."""

    def __init__(self, emails: EmailStore, storage: Storage) -> None:
        self._emails = emails
        self._storage = storage

    async def announce(self, job: Job, outcome: Outcome) -> None:
        """Queues the email that is owed because the job has ended, if it asks for one; again changes nothing. Costs
        nothing otherwise. Raises QueueUnavailable and what `Storage.put` raises."""
        address: str | None = job.order.get("notify_email")
        # The storage has forgotten an older email, and whether it was sent.
        is_old = outcome.finished_at < now() - timedelta(seconds=EMAIL_SECONDS)
        if address is None or outcome.status not in TOLD or is_old:
            return
        email = Email(
            id=notice_id(job.id, outcome.finished_at),
            tenant=job.tenant,
            address=address,
            created_at=outcome.finished_at,
            job_id=job.id,
            ended=outcome.status,
        )
        await self._storage.put(mail_record(email.id), email.record())
        await self._emails.add(email)


class NoticeTexts:
    """Writes emails from what the storage says, as coming from `sender`. Paths in them begin with `base`."""

    def __init__(self, storage: Storage, sender: str, base: str = "") -> None:
        self._storage = storage
        self._sender = sender
        self._base = base

    async def message(self, email: Email, address: str) -> EmailMessage:
        """The message to this address. Raises what `Storage` raises."""
        if email.job_id is None:
            return greeting(email.id, self._sender, address, email.created_at)
        (kept,) = await self._storage.records([email.job_id])
        outcome = None if kept.outcome is None else Outcome.model_validate_json(kept.outcome)
        picture: Attachment | None = None
        if outcome is None or outcome.finished_at != email.created_at:
            subject, text = ENDED[email.ended or Status.DONE]
            told = CHANGED.format(subject=subject, text=text.capitalize(), job_id=email.job_id)
        elif outcome.error is not None:
            told = FAILED.format(reason=f"{outcome.error.title} ({outcome.error.code})", job_id=email.job_id)
        else:
            picture = await self._picture(email.job_id, outcome)
            told = self._ready(email.job_id, outcome, has_picture=picture is not None)
        # A message of some megabytes takes a while to encode.
        arguments = (email.id, self._sender, address, email.created_at, told, picture)
        return await asyncio.to_thread(notice, *arguments)

    def _ready(self, job_id: str, outcome: Outcome, *, has_picture: bool) -> str:
        picture = "It is attached.\n" if has_picture else ""
        # No names of results, which are the client's words.
        lines = (f"- {result.width} x {result.height} {result.format}" for result in outcome.results)
        url = f"{self._base}/jobs/{job_id}"
        return READY.format(picture=picture, results="\n".join(lines), job_id=job_id, url=url)

    async def _picture(self, job_id: str, outcome: Outcome) -> Attachment | None:
        """The first result that is small enough and still there."""
        for result in outcome.results:
            if result.bytes <= LARGEST_ATTACHMENT_BYTES and result.format in FILES:
                data = await self._data(job_id, result)
                if data is not None:
                    return Attachment(data, *FILES[result.format])
        return None

    async def _data(self, job_id: str, result: Result) -> bytes | None:
        blob = await self._storage.result(job_id, result.filename)
        return None if blob is None else await self._storage.get(blob.key)
