"""The errors of sending an email."""

from quickthumb.model.errors import QuickThumbError


class MailRefused(QuickThumbError):
    """The message or the address was rejected for good, by the mail server as a rule."""

    code, status, title = "mail_refused", 502, "The mail server rejected the email"


class MailUnavailable(QuickThumbError):
    """The mail server could not be reached or put the message off. The service tries again by itself."""

    code, status, title, permanent = "mail_unavailable", 503, "The email could not be sent", False
