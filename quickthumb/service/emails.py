"""The verbs of emails: queue one, and ask what became of it. Each acts for a caller."""

from collections.abc import Sequence

from quickthumb.model.caller import Caller
from quickthumb.model.ids import is_id, new_id, now
from quickthumb.notify.message import checked_address, is_allowed
from quickthumb.queue.mail import Mail, MailStore
from quickthumb.service.errors import AddressNotAllowed, QueueFull, UnknownJob


class MailService:
    """Emails, to the addresses that the deployment allows only: an open mailer would be abused for spam."""

    def __init__(self, store: MailStore, *, allowed: Sequence[str], max_queued: int) -> None:
        self._store = store
        self._allowed = allowed
        self._max_queued = max_queued

    async def queue(self, caller: Caller, address: str) -> Mail:
        """Queues an email to the address. When this returns, it is kept in Redis.

        Raises InvalidParameter, AddressNotAllowed, QueueFull and QueueUnavailable.
        """
        address = checked_address(address)
        if not is_allowed(address, self._allowed):
            raise AddressNotAllowed("The settings of this service do not allow emails to this address.")
        mail = Mail(id=new_id(), address=address, created_at=now())
        if not await self._store.add(mail, most=self._max_queued):
            raise QueueFull(f"{self._max_queued} emails are waiting already.")
        return mail

    async def find(self, caller: Caller, mail_id: str) -> Mail:
        """How the sending stands. Raises UnknownJob."""
        mail = await self._store.get(mail_id) if is_id(mail_id) else None
        if mail is None:
            raise UnknownJob("There is no email with this id; it may have expired.")
        return mail
