"""The email that is sent. Nothing in it but the address comes from a client."""

import re
from collections.abc import Iterable
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from fnmatch import fnmatchcase

from quickthumb.model.errors import InvalidParameter

MAX_ADDRESS_CHARACTERS = 254
MAX_LOCAL_CHARACTERS = 64
# What browsers take in <input type=email> (HTML, "valid e-mail address"): one plain address, in ASCII. No comments,
# no quoted text, no list, nothing that could end a header or an SMTP command.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@{_LABEL}(?:\.{_LABEL})*")

SUBJECT = "Hello from QuickThumb"
TEXT = """\
Hello,

this message was queued by QuickThumb's task queue and sent by one of its
workers. There is nothing to do.
"""


def checked_address(text: str) -> str:
    """The one plain address that the text is. Raises InvalidParameter."""
    found = _ADDRESS.fullmatch(text) if len(text) <= MAX_ADDRESS_CHARACTERS else None
    if found is None or len(found[1]) > MAX_LOCAL_CHARACTERS:
        raise InvalidParameter("It must be one email address, such as ada@example.com.", field="email")
    return text


def is_allowed(address: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns, in which `*` stands for any text, admits the whole address; case says nothing."""
    return any(fnmatchcase(address.lower(), pattern.lower()) for pattern in patterns)


def greeting(mail_id: str, sender: str, address: str, moment: datetime) -> EmailMessage:
    """The message; its Message-ID is the same at each attempt, so that a message sent twice can be known as one."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = address
    message["Subject"] = SUBJECT
    message["Date"] = format_datetime(moment)
    message["Message-ID"] = f"<{mail_id}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(TEXT)
    return message
