"""The email that QuickThumb sends, and the checks on its address: the only part of it that comes from a client."""

import re
from collections.abc import Iterable
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from fnmatch import fnmatchcase

from quickthumb.model.errors import InvalidParameter

MAX_ADDRESS_CHARACTERS = 254
MAX_LOCAL_CHARACTERS = 64
# What browsers accept in <input type=email> (HTML, "valid e-mail address"): one plain ASCII address. No comments, no
# quoted text, no list, nothing that could end a header or an SMTP command.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@{_LABEL}(?:\.{_LABEL})*")

SUBJECT = "Hello from QuickThumb"
TEXT = """\
Hello,

QuickThumb queued this message, and one of its workers sent it to you.
You do not need to do anything.
"""


def checked_address(text: str) -> str:
    """Returns `text` if it is one plain email address. Raises InvalidParameter if not."""
    found = _ADDRESS.fullmatch(text) if len(text) <= MAX_ADDRESS_CHARACTERS else None
    if found is None or len(found[1]) > MAX_LOCAL_CHARACTERS:
        raise InvalidParameter("Must be a single email address, such as ada@example.com.", field="email")
    return text


def is_allowed(address: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern matches the whole address, in any case. In a pattern, `*` stands for any text."""
    return any(fnmatchcase(address.lower(), pattern.lower()) for pattern in patterns)


def greeting(mail_id: str, sender: str, address: str, moment: datetime) -> EmailMessage:
    """The message. Every attempt has the same Message-ID, so that mail programs recognize a message sent twice."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = address
    message["Subject"] = SUBJECT
    message["Date"] = format_datetime(moment)
    message["Message-ID"] = f"<{mail_id}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(TEXT)
    return message
