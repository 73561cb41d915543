"""The errors of sending emails and of telling webhooks."""

from quickthumb.model.errors import QuickThumbError


class MailRefused(QuickThumbError):
    """The message or the address was permanently rejected, as a rule by the mail server."""

    code, status, title = "mail_refused", 502, "The mail server rejected the email"


class MailUnavailable(QuickThumbError):
    """The mail server could not be reached, or deferred the message. The service retries by itself."""

    code, status, title, permanent = "mail_unavailable", 503, "The email could not be sent", False


class WebhookRefused(QuickThumbError):
    """Requests may not go to the webhook's URL: it is not valid, or leads to an address inside a private network, which
    the setting `OUTBOUND_ALLOWED` can open."""

    code, status, title = "webhook_refused", 422, "Requests to this URL are not allowed"


class WebhookGone(QuickThumbError):
    """The webhook's server answered 410 Gone, so nothing more is sent to it. Make a new webhook."""

    code, status, title = "webhook_gone", 502, "The webhook is gone"


class WebhookExpired(QuickThumbError):
    """The webhook's server did not accept the event before the service gave up."""

    code, status, title = "webhook_expired", 502, "The webhook did not take the event in time"


class WebhookUnavailable(QuickThumbError):
    """The webhook's server could not be reached, or did not answer with a status from 200 to 299. The service retries
    by itself, for three days."""

    code, status, title, permanent = "webhook_unavailable", 503, "The webhook did not take the event", False
