"""Sending emails: over SMTP, or into a folder where there is no mail server."""

import asyncio
import logging
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Protocol

import aiosmtplib

from quickthumb.model.errors import QuickThumbError
from quickthumb.notify.errors import MailRefused, MailUnavailable

log = logging.getLogger("quickthumb.mail")

# For connecting, and for each answer.
ANSWER_SECONDS = 10.0
PERMANENT_CODES = range(500, 600)
# Nobody empties the folder; so that it cannot fill the disk, the oldest messages go.
MAX_MESSAGES = 1_000


class Mailer(Protocol):
    """Hands emails over."""

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        """Hands the message over to whoever delivers it; when this returns, it is theirs.

        It may be called again with the same id, after a worker that died in between. Raises MailRefused when trying
        again is pointless, and MailUnavailable when it is not. Neither carries what the server said: it is logged.
        """


class Outbox:
    """A folder of `.eml` files."""

    def __init__(self, folder: Path, max_messages: int = MAX_MESSAGES) -> None:
        self._folder = folder
        self._max_messages = max_messages

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        """Writes `{mail_id}.eml`, whole or not at all."""
        path = self._folder / f"{mail_id}.eml"
        try:
            await asyncio.to_thread(self._write, path, message.as_bytes(policy=SMTP))
        except OSError as error:
            raise MailUnavailable("The outbox cannot be written to.") from error
        log.info("mail %s: no SMTP_HOST is set, so it was written to %s", mail_id, path)

    def _write(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(data)
        unfinished.replace(path)
        messages = sorted(self._folder.glob("*.eml"), key=lambda message: message.stat().st_mtime)
        for old in messages[: -self._max_messages]:
            old.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server; `tls` is "starttls", "tls" (from the start) or "none"."""

    host: str
    port: int
    tls: str = "starttls"
    user: str | None = None
    password: str | None = field(default=None, repr=False)


class SmtpMailer:
    """Hands emails to a mail server, each over a connection of its own."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        server = self._server
        try:
            await aiosmtplib.send(
                message,
                hostname=server.host,
                port=server.port,
                use_tls=server.tls == "tls",
                start_tls=server.tls == "starttls",
                username=server.user,
                password=server.password,
                timeout=ANSWER_SECONDS,
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            log.warning("mail %s: the mail server: %s", mail_id, error)
            raise _translated(error) from error


def _translated(error: Exception) -> QuickThumbError:
    """By RFC 5321, section 4.2.1: 5xx is for good, 4xx may pass; so may whatever happened without an answer."""
    codes = _codes(error)
    if not codes:
        return MailUnavailable("The mail server could not be reached, or broke off.")
    if all(code in PERMANENT_CODES for code in codes):
        return MailRefused(f"The mail server refused the email for good ({codes[0]}).")
    return MailUnavailable(f"The mail server did not take the email this time ({codes[0]}).")


def _codes(error: Exception) -> list[int]:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return [refused.code for refused in error.recipients]
    return [error.code] if isinstance(error, aiosmtplib.SMTPResponseException) else []
