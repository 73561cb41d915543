"""The way to send emails over SMTP, by aiosmtplib."""

import logging
from email.message import EmailMessage

import aiosmtplib

from quickthumb.config import SmtpServer
from quickthumb.model.errors import QuickThumbError
from quickthumb.notify.errors import MailRefused, MailUnavailable

log = logging.getLogger("quickthumb.mail")

# For connecting, and for each answer.
ANSWER_SECONDS = 10.0
PERMANENT_CODES = range(500, 600)


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
                port=server.connection_port,
                use_tls=server.tls == "tls",
                start_tls=server.tls == "starttls",
                username=server.user,
                password=server.password.get_secret_value() if server.password else None,
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
