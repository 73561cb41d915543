"""What any way of sending emails owes the service."""

from email.message import EmailMessage
from typing import Protocol


class Mailer(Protocol):
    """Hands emails over."""

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        """Hands the message over to whoever delivers it; when this returns, it is theirs.

        It may be called again with the same id, after a worker that died in between. Raises MailRefused when trying
        again is pointless, and MailUnavailable when it is not. Neither carries what the server said: it is logged.
        """
