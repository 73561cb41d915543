"""The handler that sends emails."""

import asyncio
import logging

from quickthumb.model.email import Email, EmailOutcome
from quickthumb.model.errors import InvalidParameter, QuickThumbError
from quickthumb.model.job import Status, now
from quickthumb.notify.errors import MailRefused, MailUnavailable
from quickthumb.notify.mailer import Mailer
from quickthumb.notify.message import checked_address
from quickthumb.queue.attempts import Attempt
from quickthumb.queue.codec import failure_text
from quickthumb.queue.emails import EmailStore, email_from, ending_of_email, is_recorded
from quickthumb.storage import Storage
from quickthumb.storage.layout import mail_outcome, mail_record
from quickthumb.work.errors import LeaseLost
from quickthumb.work.handler import Done, Failed, Snooze, Verdict, failed_in_redis, failure_of, unseen
from quickthumb.work.notices import NoticeTexts

log = logging.getLogger("quickthumb.email")

SEND_SECONDS = 60.0


class EmailHandler:
    """Sends emails at least once: if a worker dies after it sent an email and before it stored the outcome, the email
    is sent again."""

    # A slow mail server must not take up the places that images need.
    at_once: int | None = 1
    longest_pause_seconds = 900.0
    unexpected: QuickThumbError = MailUnavailable(
        "The email could not be sent because of an unexpected error; see the worker's log."
    )

    def __init__(
        self, emails: EmailStore, storage: Storage, mailer: Mailer, texts: NoticeTexts, *, max_attempts: int
    ) -> None:
        self.kind = emails.kind
        self.max_attempts = max_attempts
        self._emails = emails
        self._storage = storage
        self._mailer = mailer
        self._texts = texts

    async def run(self, attempt: Attempt) -> Verdict:
        standing = await self._storage.get(mail_outcome(attempt.id))
        if standing is not None:
            return await self._ended(attempt, standing)
        if await self._is_unseen(attempt):
            return unseen(attempt, self._storage.place, await self._storage.find_identity())
        try:
            await self._send(email_from(attempt.id, attempt.fields))
        except MailUnavailable as error:
            return Snooze(blameless=False, error=error, fields={"error": failure_text(failure_of(error))})
        return await self._end(attempt, EmailOutcome(status=Status.DONE, finished_at=now()))

    async def _is_unseen(self, attempt: Attempt) -> bool:
        # Emails from the first release have no record.
        return is_recorded(attempt.fields) and await self._storage.get(mail_record(attempt.id)) is None

    async def fail(self, attempt: Attempt, error: QuickThumbError) -> Verdict:
        if await self._storage.get(mail_outcome(attempt.id)) is None and await self._is_unseen(attempt):
            return failed_in_redis(error)
        outcome = EmailOutcome(status=Status.FAILED, finished_at=now(), error=failure_of(error))
        return await self._end(attempt, outcome)

    async def abandoned(self, attempt: Attempt) -> None:
        """Does nothing: an attempt to send an email leaves nothing behind."""

    async def _send(self, email: Email) -> None:
        """Sends the email. Raises only MailRefused or MailUnavailable, whatever else goes wrong, and what `Storage`
        raises."""
        try:
            # An older release may have accepted an address that this one does not.
            address = checked_address(email.address)
        except InvalidParameter as error:
            raise MailRefused("Emails to addresses of this form are not sent.") from error
        message = await self._texts.message(email, address)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._mailer.send(email.id, message)
        except TimeoutError:
            raise MailUnavailable(f"The mail server took longer than {SEND_SECONDS:g} s.") from None
        except (MailRefused, MailUnavailable):
            raise
        except Exception as error:
            log.exception("email %s: attempt %d failed unexpectedly", email.id, email.attempts)
            raise MailUnavailable(self.unexpected.detail) from error

    async def _end(self, attempt: Attempt, outcome: EmailOutcome) -> Verdict:
        """Stores the outcome, unless the storage already has one. Returns the verdict for the stored outcome."""
        key, written = mail_outcome(attempt.id), outcome.model_dump_json().encode()
        standing = None if await self._storage.put(key, written) else await self._storage.get(key)
        return await self._ended(attempt, standing or written)

    async def _ended(self, attempt: Attempt, standing: bytes) -> Verdict:
        """The verdict for the outcome in the storage. Has Redis forget an email that was not accepted after all."""
        outcome = EmailOutcome.model_validate_json(standing)
        if outcome.status is Status.CANCELLED:
            await self._emails.remove(attempt.id)
            raise LeaseLost
        fields = ending_of_email(outcome)
        return Failed(fields, outcome.error) if outcome.error is not None else Done(fields, "sent")
