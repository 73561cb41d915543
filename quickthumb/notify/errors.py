"""The errors of sending an email."""

from quickthumb.model.errors import QuickThumbError


class MailRefused(QuickThumbError):
    code, status, title = "mail_refused", 502, "The mail server rejected the email"


class MailUnavailable(QuickThumbError):
    code, status, title, permanent = "mail_unavailable", 503, "The email could not be sent", False
