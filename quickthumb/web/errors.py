"""The errors of a connection: they arise before there is a request that the application could answer."""

from quickthumb.model.errors import QuickThumbError


class HeadTimedOut(QuickThumbError):
    """The client did not send the whole request line and all headers in time."""

    code, status, title = "head_timed_out", 408, "The request head did not arrive in time"


class UriTooLong(QuickThumbError):
    """The URL alone is longer than a whole request head may be. Send long parameters in the body."""

    code, status, title = "uri_too_long", 414, "The URL is too long"


class HeadTooLarge(QuickThumbError):
    """The request line and the headers are longer, or the headers are more, than the service allows."""

    code, status, title = "head_too_large", 431, "The request head is too large"


class TooManyConnections(QuickThumbError):
    """As many connections as `MAX_CONNECTIONS` or `MAX_CONNECTIONS_PER_ADDRESS` allows are open. Try again later, and
    use a connection for more than one request."""

    code, status, title, permanent = "too_many_connections", 503, "Too many connections are open", False
    retry_after_seconds = 1
