"""How a request to another server can fail. Each caller translates these into its own errors."""


class OutboundError(Exception):
    """The request failed. The message is one sentence that may be shown to clients: it names the host as the
    client did, and never an address, a query or a password.

    `may_pass`: whether the same request may succeed later, and not before `retry_after_seconds` if the server said so.
    """

    may_pass = False

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_seconds = retry_after_seconds


class OutboundRefused(OutboundError):
    """The guard does not let the request go there."""


class Unreachable(OutboundError):
    """The server was not reached, broke off, or took too long."""

    may_pass = True


class AnswerRefused(OutboundError):
    """The server answered with an error, or with something that cannot be used. `status` is that of the answer."""

    def __init__(self, message: str, *, status: int, may_pass: bool = False, retry_after_seconds: float | None = None):
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.status = status
        self.may_pass = may_pass


class AnswerTooLarge(OutboundError):
    """The answer has more bytes than the caller wants."""
