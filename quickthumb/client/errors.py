"""What a call of the client can raise. Everything derives from `ClientError`."""

from typing import Any


class ClientError(Exception):
    """A call failed. Its text is one sentence for people."""


class Problem(ClientError):
    """The service refused the request, and says why (RFC 9457).

    Programs should go by `code`, which is stable: docs/http.md lists all codes. `field` names the field of the request
    that is at fault. `retry_after_seconds` is how long the service asks to wait before the next try. If something in
    between answered, such as a proxy, the code is `http_` and the status.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        title: str,
        detail: str,
        field: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail if field is None or detail.startswith(field) else f"{field}: {detail}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.field = field
        self.retry_after_seconds = retry_after_seconds

    def __reduce__(self) -> tuple[Any, ...]:
        """Lets the error cross process boundaries: a plain exception with keyword arguments cannot be copied."""
        return _problem, (self.__dict__.copy(),)


class Unreachable(ClientError):
    """No answer came, after all the tries that `Retries` allows. `__cause__` is the last error of the connection."""


class UnexpectedAnswer(ClientError):
    """The answer is not one of QuickThumb's: the URL belongs to something else, or to a very different release."""


class DamagedDownload(ClientError):
    """What arrived is not the file that the service announced. Nothing was saved."""


class StillRunning(ClientError):
    """The job had not ended when the time to wait was up. It goes on; wait again to learn how it ends."""


def _problem(facts: dict[str, Any]) -> Problem:
    return Problem(**facts)
