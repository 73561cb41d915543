"""The email verbs, each on behalf of a caller: queue an email, find an email. And the ledger of emails, for repairs."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

from quickthumb.model.caller import Caller
from quickthumb.model.email import Email, EmailOutcome
from quickthumb.model.errors import QuickThumbError, for_operators
from quickthumb.model.job import Status, is_id, new_id, now
from quickthumb.notify.message import checked_address, is_allowed, mailbox
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.index import Added
from quickthumb.queue.keys import EMAIL_SECONDS
from quickthumb.queue.rates import EmailRates
from quickthumb.service.errors import AddressNotAllowed, QueueFull, UnknownJob
from quickthumb.service.notices import too_many_emails
from quickthumb.service.repair import JUST_BEGUN_SECONDS, Repaired, logged
from quickthumb.storage import Storage
from quickthumb.storage.layout import MAIL, mail_outcome, mail_record

log = logging.getLogger("quickthumb.email")


class MailService:
    """Queues and finds emails. Accepts only addresses that the deployment allows, and only so many emails within an
    hour: an open mailer would be abused for spam."""

    def __init__(
        self, store: EmailStore, storage: Storage, rates: EmailRates, *, allowed: Sequence[str], max_queued: int
    ) -> None:
        self._store = store
        self._storage = storage
        self._rates = rates
        self._allowed = allowed
        self._max_queued = max_queued

    async def queue(self, caller: Caller, address: str) -> Email:
        """Queues an email to `address`. When this returns, the email is in the storage and in the queue.

        Raises InvalidParameter, AddressNotAllowed, TooManyEmails, QueueFull, QueueUnavailable, DiskFull and
        StorageUnavailable; then nothing is left behind.
        """
        address = checked_address(address)
        if not is_allowed(address, self._allowed):
            raise AddressNotAllowed("The settings of this service do not allow emails to this address.")
        email = Email(id=new_id(), tenant=caller.tenant, address=address, created_at=now())
        await self._count(email)
        try:
            await self._storage.put(mail_record(email.id), email.record())
            added = await self._store.add(email, most=self._max_queued)
        except BaseException:
            await asyncio.shield(self._withdraw(email))
            raise
        if added is Added.FULL:
            await asyncio.shield(self._forget(email))
            raise QueueFull(f"{self._max_queued} emails are already waiting.")
        return email

    async def _count(self, email: Email) -> None:
        """Counts the email for the rates, before it touches the storage. Raises TooManyEmails."""
        used_up = await self._rates.count(email.id, mailbox(email.address))
        if used_up is not None:
            raise too_many_emails(used_up)

    async def _withdraw(self, email: Email) -> None:
        """Makes sure that the email is not sent: Redis may have added it although its answer was lost. The outcome
        CANCELLED, which no other email has, tells a worker to have Redis forget it."""
        outcome = EmailOutcome(status=Status.CANCELLED, finished_at=now())
        # On a full disk there is no room for it. Then the email, which has no record, FAILED for Redis.
        with contextlib.suppress(QuickThumbError):
            await self._storage.put(mail_outcome(email.id), outcome.model_dump_json().encode())
        await self._forget(email)

    async def _forget(self, email: Email) -> None:
        with contextlib.suppress(QuickThumbError):
            await self._rates.forget(email.id, mailbox(email.address))
        try:
            await self._storage.delete(mail_record(email.id))
        except QuickThumbError as error:
            log.warning(
                "email %s was not accepted, but deleting its record failed, so it may still be sent: %s",
                email.id,
                for_operators(error),
            )

    async def find(self, caller: Caller, mail_id: str) -> Email:
        """The email in its current state. Raises UnknownJob, also for another tenant's email."""
        email = await self._store.get(mail_id) if is_id(mail_id) else None
        if email is None or email.tenant != caller.tenant:
            raise UnknownJob("There is no email with this id; it may have expired.")
        return email


class EmailLedger:
    """The emails that the storage has, for `repair`. It keeps them for EMAIL_SECONDS after their end."""

    # A worker of the first release ends emails in Redis only, without an outcome in the storage.
    doubtful: frozenset[Status | None] = frozenset({None, Status.DONE, Status.FAILED})

    def __init__(self, store: EmailStore, storage: Storage) -> None:
        self.index = store.index
        self._store = store
        self._storage = storage

    async def ids(self) -> AsyncIterator[list[str]]:
        async for blobs in self._storage.list(f"{MAIL}/"):
            yield [_id_in(blob.key) for blob in blobs if blob.key == mail_record(_id_in(blob.key))]

    async def repair(self, items: Mapping[str, Status | None]) -> list[Repaired]:
        repaired = []
        for email_id, status in items.items():
            with logged(email_id):
                repaired.append(await self._repair(email_id, status))
        return repaired

    async def _repair(self, item_id: str, status: Status | None) -> Repaired:
        record = await self._storage.get(mail_record(item_id))
        if record is None:
            return Repaired.NOTHING
        email = Email.from_record(record)
        outcome = await self._storage.get(mail_outcome(item_id))
        if status is not None:
            if outcome is None:
                await self._keep_outcome(item_id, status)
            return Repaired.NOTHING
        if outcome is None:
            return Repaired.QUEUED if await self._store.add(email) is Added.NEW else Repaired.NOTHING
        restored = await self._store.restore(email, EmailOutcome.model_validate_json(outcome))
        return Repaired.RESTORED if restored else Repaired.NOTHING

    async def _keep_outcome(self, item_id: str, status: Status) -> None:
        """Stores how an email ended that only Redis knows to have ended, so that it is never sent again."""
        email = await self._store.get(item_id)
        if email is not None and email.status is status:
            outcome = EmailOutcome(status=status, finished_at=now(), error=email.error)
            await self._storage.put(mail_outcome(item_id), outcome.model_dump_json().encode())

    async def requeue(self, item_id: str, created_ms: int) -> bool:
        outcome = await self._storage.get(mail_outcome(item_id))
        if outcome is not None and EmailOutcome.model_validate_json(outcome).status is Status.CANCELLED:
            await self._store.remove(item_id)
        return await self.index.requeue(item_id, created_ms)

    async def sweep(self) -> list[str]:
        records, outcomes = await self._ages_seconds()
        for email_id, age_seconds in {**records, **outcomes}.items():
            if age_seconds > EMAIL_SECONDS:
                await self._remove(email_id, has_ended=email_id in outcomes)
        return [
            email_id
            for email_id, age_seconds in records.items()
            if email_id not in outcomes and JUST_BEGUN_SECONDS < age_seconds <= EMAIL_SECONDS
        ]

    async def _ages_seconds(self) -> tuple[dict[str, float], dict[str, float]]:
        """The ages of the records and of the outcomes in seconds, by email id."""
        records: dict[str, float] = {}
        outcomes: dict[str, float] = {}
        async for blobs in self._storage.list(f"{MAIL}/"):
            for blob in blobs:
                email_id = _id_in(blob.key)
                age_seconds = (datetime.now(UTC) - blob.modified_at).total_seconds()
                if blob.key == mail_record(email_id):
                    records[email_id] = age_seconds
                elif blob.key == mail_outcome(email_id):
                    outcomes[email_id] = age_seconds
        return records, outcomes

    async def _remove(self, email_id: str, *, has_ended: bool) -> None:
        if not has_ended:
            log.warning("email %s: giving up, since it could not be sent within %d s", email_id, EMAIL_SECONDS)
        # Delete the record first: an email with a record but no outcome would be sent again.
        await self._storage.delete(mail_record(email_id))
        await self._storage.delete(mail_outcome(email_id))
        await self._store.remove(email_id)


def _id_in(key: str) -> str:
    """The id of the email that a blob belongs to."""
    return key.split("/")[-2]
