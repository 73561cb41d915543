"""The emails that QuickThumb sends, and the checks on their address: the only words in them that come from a client."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import cache

from quickthumb.model.errors import InvalidParameter

MAX_ADDRESS_CHARACTERS = 254
MAX_LOCAL_CHARACTERS = 64
# One plain ASCII address. No comments, no quoted text, no list, nothing that could end a header or an SMTP command.
# The local part lacks what some mail servers act on, although browsers accept it in <input type=email>: `%` and `!`
# (routes), `/` and `|` (files and programs), `$`, `{`, `}` and a backtick (shells), and wildcards. Nor does it begin
# with `-`, which a sendmail program would take for an option.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOM = r"[A-Za-z0-9#&'+=_~-]+"
_ADDRESS = re.compile(rf"((?!-){_ATOM}(?:\.{_ATOM})*)@{_LABEL}(?:\.{_LABEL})*")

SUBJECT = "Hello from QuickThumb"
TEXT = """\
Hello,

QuickThumb queued this message, and one of its workers sent it to you.
You do not need to do anything.
"""


def checked_address(text: str, field: str = "email") -> str:
    """Returns `text` if it is one plain email address. Raises InvalidParameter, for the field with this name, if not.

    An international domain must be in its ASCII form, `xn--…`: there are two ways to translate it, and they lead to
    different domains.
    """
    found = _ADDRESS.fullmatch(text) if len(text) <= MAX_ADDRESS_CHARACTERS else None
    if found is None or len(found[1]) > MAX_LOCAL_CHARACTERS:
        raise InvalidParameter("Must be a single email address, such as ada@example.com.", field=field)
    return text


def is_allowed(address: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern matches the whole address, in any case. In a pattern, `*` stands for any text; every other
    character stands for itself."""
    return any(_compiled(pattern).fullmatch(address) for pattern in patterns)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE | re.ASCII)


def mailbox(address: str) -> str:
    """What stands for the recipient when emails are counted: case and a `+tag` make no difference."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def greeting(mail_id: str, sender: str, address: str, moment: datetime) -> EmailMessage:
    """The message. Every attempt has the same Message-ID, so that mail programs recognize a message sent twice."""
    message = _addressed(mail_id, sender, address, moment, SUBJECT)
    message.set_content(TEXT)
    return message


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture to attach: its bytes, its media type and the extension of its file name."""

    data: bytes
    media_type: str
    extension: str


def notice(
    mail_id: str, sender: str, address: str, moment: datetime, told: str, picture: Attachment | None
) -> EmailMessage:
    """The message that tells how a job has ended. Nothing in it is the client's text: whoever may name an address could
    send spam otherwise."""
    subject, _, text = told.partition("\n\n")
    message = _addressed(mail_id, sender, address, moment, subject)
    message.set_content(text)
    if picture is not None:
        kind, _, subtype = picture.media_type.partition("/")
        name = f"image.{picture.extension}"
        message.add_attachment(picture.data, maintype=kind, subtype=subtype, filename=name)
    return message


def _addressed(mail_id: str, sender: str, address: str, moment: datetime, subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = address
    message["Subject"] = subject
    message["Date"] = format_datetime(moment)
    message["Message-ID"] = f"<{mail_id}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    return message
