"""The worker's verb for emails: one attempt at sending one, and what becomes of it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from quickthumb.model.errors import QuickThumbError
from quickthumb.model.ids import new_id
from quickthumb.model.job import Failure, Status
from quickthumb.notify.errors import MailUnavailable
from quickthumb.notify.mailer import Mailer
from quickthumb.notify.message import greeting
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.mail import MailAttempt, MailStore
from quickthumb.work.errors import TooManyAttempts
from quickthumb.work.runner import TryAgain

log = logging.getLogger("quickthumb.mail")

SEND_SECONDS = 60.0
LONGEST_BACKOFF_SECONDS = 900.0
# A worker sends one email at a time: a slow mail server is not to take the places of images.
BUSY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class MailTerms:
    """How patient a worker is: the lease in seconds, and how often sending is tried before the email is FAILED."""

    lease_seconds: float
    max_attempts: int


class MailRunner:
    """Sends emails. At least once: a worker that dies between the sending and the noting of it has it sent again."""

    def __init__(self, store: MailStore, mailer: Mailer, sender: str, terms: MailTerms) -> None:
        self._store = store
        self._mailer = mailer
        self._sender = sender
        self._terms = terms
        self._busy = False

    async def run(self, mail_id: str) -> None:
        """Makes one attempt, to the email's end or back to WAITING; an email that has ended is left alone.

        Raises TryAgain when it is to be run again later.
        """
        if self._busy:
            raise TryAgain(BUSY_SECONDS)
        self._busy = True
        try:
            attempt = await self._store.begin(mail_id, new_id(), lease_seconds=self._terms.lease_seconds)
            if attempt is not None:
                await self._attempt(attempt)
        finally:
            self._busy = False

    async def _attempt(self, attempt: MailAttempt) -> None:
        mail = attempt.mail
        try:
            await self._send(attempt)
        except asyncio.CancelledError:
            await asyncio.shield(self._store.leave(attempt, Status.WAITING))
            raise
        except QuickThumbError as error:
            failure = error
        except Exception:
            log.exception("mail %s: attempt %d went wrong", mail.id, mail.attempts)
            failure = MailUnavailable("The email could not be sent, for a reason that has been logged.")
        else:
            await self._store.leave(attempt, Status.DONE)
            log.info("mail %s was sent, at attempt %d", mail.id, mail.attempts)
            return
        await self._fail(attempt, failure)

    async def _send(self, attempt: MailAttempt) -> None:
        mail = attempt.mail
        if mail.attempts > self._terms.max_attempts:
            raise TooManyAttempts(f"Sending was tried {self._terms.max_attempts} times, and ended each time.")
        message = greeting(mail.id, self._sender, mail.address, mail.created_at)
        async with self._held(attempt):
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._mailer.send(mail.id, message)
            except TimeoutError:
                raise MailUnavailable(f"The mail server took longer than {SEND_SECONDS:g} s.") from None

    async def _fail(self, attempt: MailAttempt, error: QuickThumbError) -> None:
        mail = attempt.mail
        failure = Failure(code=error.code, title=error.title, detail=error.detail)
        if error.permanent or mail.attempts >= self._terms.max_attempts:
            await self._store.leave(attempt, Status.FAILED, failure)
            log.warning("mail %s FAILED at attempt %d: %s", mail.id, mail.attempts, error.detail)
            return
        seconds = min(LONGEST_BACKOFF_SECONDS, 2.0 ** (mail.attempts - 1))
        await self._store.leave(attempt, Status.WAITING, failure)
        log.warning("mail %s waits %g s for attempt %d: %s", mail.id, seconds, mail.attempts + 1, error.detail)
        raise TryAgain(seconds)

    @asynccontextmanager
    async def _held(self, attempt: MailAttempt) -> AsyncIterator[None]:
        """Holds on to the attempt while the block lasts, so that no other worker takes it over."""
        renewing = asyncio.create_task(self._renew(attempt), name="mail lease")
        try:
            yield
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing

    async def _renew(self, attempt: MailAttempt) -> None:
        while True:
            await asyncio.sleep(self._terms.lease_seconds / 3)
            with contextlib.suppress(QueueUnavailable):
                await self._store.renew(attempt, lease_seconds=self._terms.lease_seconds)
