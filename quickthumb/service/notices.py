"""Emails that an order asks for when its job has ended: which addresses may get them, and how many."""

import contextlib
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from quickthumb.model.errors import QuickThumbError
from quickthumb.notify.message import checked_address, is_allowed, mailbox
from quickthumb.queue.rates import EmailRates, UsedUp
from quickthumb.service.errors import AddressNotAllowed, TooManyEmails

FIELD = "notify_email"


def too_many_emails(used_up: UsedUp) -> TooManyEmails:
    """The error for a rate that is used up."""
    to = "to this address " if used_up.for_recipient else ""
    detail = f"No more emails {to}are accepted for the time being."
    return TooManyEmails(detail, retry_after_seconds=math.ceil(used_up.seconds))


class Notices:
    """Admits the addresses that the deployment allows, and limits emails per hour, in common with `MailService`.
    Without `rates`, it admits none."""

    def __init__(self, rates: EmailRates | None = None, *, allowed: Sequence[str] = ()) -> None:
        self._rates = rates
        self._allowed = () if rates is None else allowed

    def check(self, address: str) -> None:
        """Raises InvalidParameter or AddressNotAllowed for an address that may get no email."""
        checked_address(address, FIELD)
        if not is_allowed(address, self._allowed):
            raise AddressNotAllowed("The settings of this service do not allow emails to this address.", field=FIELD)

    @asynccontextmanager
    async def counted(self, address: str | None, notice_id: str) -> AsyncIterator[None]:
        """Counts one email to the address; if the block raises, takes that back. Raises TooManyEmails and
        QueueUnavailable."""
        if address is None or self._rates is None:
            yield
            return
        await self.count(address, notice_id)
        try:
            yield
        except BaseException:
            with contextlib.suppress(QuickThumbError):
                await self._rates.forget(notice_id, mailbox(address))
            raise

    async def count(self, address: str, notice_id: str) -> None:
        """Counts one email to the address. Raises TooManyEmails and QueueUnavailable."""
        used_up = None if self._rates is None else await self._rates.count(notice_id, mailbox(address))
        if used_up is not None:
            raise too_many_emails(used_up)
