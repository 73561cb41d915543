"""Sends emails: over SMTP, or into a folder if there is no mail server."""

import asyncio
import logging
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Protocol

import aiosmtplib

from quickthumb.config import SmtpServer
from quickthumb.model.errors import QuickThumbError
from quickthumb.notify.errors import MailRefused, MailUnavailable

log = logging.getLogger("quickthumb.mail")

# Limits connecting, and each answer of the server.
ANSWER_SECONDS = 10.0
PERMANENT_CODES = range(500, 600)
# Nobody empties the outbox, so it deletes its oldest messages before they fill the disk.
MAX_MESSAGES = 1_000


class Mailer(Protocol):
    """Sends emails."""

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        """Sends the message. When this returns, the receiving side has taken responsibility for it.

        The caller may send the same id again, for example after a worker died before it could record the success.
        Raises MailRefused if a retry is pointless, and MailUnavailable if it may help. The mailer logs what the server
        said, and never puts it into the error.
        """


class Outbox:
    """Writes emails as `.eml` files into a folder, for a mail program to open. It keeps the newest `max_messages`."""

    def __init__(self, folder: Path, max_messages: int = MAX_MESSAGES) -> None:
        self._folder = folder
        self._max_messages = max_messages

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        """Writes `{mail_id}.eml`, completely or not at all. Raises MailUnavailable if it cannot."""
        path = self._folder / f"{mail_id}.eml"
        try:
            await asyncio.to_thread(self._write, path, message.as_bytes(policy=SMTP))
        except OSError as error:
            raise MailUnavailable("Cannot write to the outbox.") from error
        log.info("mail %s: SMTP_HOST is not set; wrote the email to %s", mail_id, path)

    def _write(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        try:
            unfinished.write_bytes(data)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)  # the disk may be full
        messages = sorted(self._folder.glob("*.eml"), key=lambda message: message.stat().st_mtime)
        for old in messages[: -self._max_messages]:
            old.unlink(missing_ok=True)


class SmtpMailer:
    """Sends emails to a mail server, each over its own connection, by aiosmtplib."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        server = self._server
        try:
            await aiosmtplib.send(
                message,
                hostname=server.host,
                port=server.connection_port,
                use_tls=server.tls == "tls",
                start_tls=server.tls == "starttls",
                username=server.user,
                password=server.password.get_secret_value() if server.password else None,
                timeout=ANSWER_SECONDS,
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            log.warning("mail %s: sending failed: %s", mail_id, error)
            raise _translated(error) from error


def _translated(error: Exception) -> QuickThumbError:
    """By RFC 5321, section 4.2.1, 5xx is permanent and 4xx is transient. A failure without a reply is transient."""
    codes = _codes(error)
    if not codes:
        return MailUnavailable("Could not reach the mail server, or it dropped the connection.")
    if all(code in PERMANENT_CODES for code in codes):
        return MailRefused(f"The mail server rejected the email permanently ({codes[0]}).")
    return MailUnavailable(f"The mail server deferred the email ({codes[0]}).")


def _codes(error: Exception) -> list[int]:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return [refused.code for refused in error.recipients]
    return [error.code] if isinstance(error, aiosmtplib.SMTPResponseException) else []
