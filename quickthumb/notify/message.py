"""The email that is sent. Nothing in it but the address comes from a client."""

from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

SUBJECT = "Hello from QuickThumb"
TEXT = """\
Hello,

this message was queued by QuickThumb's task queue and sent by one of its
workers. There is nothing to do.
"""


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
