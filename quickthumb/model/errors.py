"""The one catalogue of errors.

Each class is a row: a stable `code`, the HTTP `status`, a human-readable `title`, and `permanent`: whether a retry is
pointless. The web renders every error as problem+json; the worker reads `permanent` to decide whether to fail a job or
to retry it. The docstring of a class explains the error to users, on the page `/docs/errors`: when it arises, and what
to do. Code that calls a library translates the library's errors into these on the spot, so nothing above has to match
message texts. This module knows neither HTTP libraries nor Redis.
"""

import errno
from typing import ClassVar


class QuickThumbError(Exception):
    """An error that may be shown to users.

    `detail` is one plain sentence for the user; it never contains a path, a secret or a traceback.
    `field` names the request field at fault, if there is one.

    An item whose attempts end with an error that is not `permanent` fails after `GIVE_UP_SECONDS`, unless the error
    `waits_its_turn`: then nothing is wrong, and the item waits as long as it takes.

    `retry_may_help` a job that FAILED with the error: the cause may have passed, or was not the job's. That is so for
    every error that is not permanent.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    permanent: ClassVar[bool] = True
    waits_its_turn: ClassVar[bool] = False
    retry_may_help: ClassVar[bool] = False
    retry_after_seconds: int | None = None

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class UserMistake(Exception):
    """The program cannot start or go on. The message is one sentence for whoever runs it, who can fix the cause."""


class Cause(Exception):
    """Why an error happened, in words for operators only: it may name paths. Raise the error `from` it."""


def for_operators(error: QuickThumbError) -> str:
    """An error and its cause in one line for the log: with the path and the errno, or with the words of Redis.

    Never show it to clients.
    """
    cause = error.__cause__
    return error.detail if cause is None else f"{error.detail.removesuffix('.')}: {_words_of(cause)}"


def _words_of(cause: BaseException) -> str:
    if isinstance(cause, OSError) and cause.errno is not None:
        place = f" at {cause.filename}" if cause.filename else ""
        return f"{errno.errorcode.get(cause.errno, cause.errno)} ({cause.strerror}){place}"
    return str(cause) or type(cause).__name__


class MalformedRequest(QuickThumbError):
    """The request breaks the rules of HTTP, of its content type or of a header; `detail` says which."""

    code, status, title = "malformed_request", 400, "The request could not be understood"


class SourceMissing(QuickThumbError):
    """The source was removed: `SOURCE_RETENTION_SECONDS` after the end of its job, or with the job."""

    code, status, title = "source_missing", 404, "The source image is no longer available"


class UnsupportedImage(QuickThumbError):
    """The bytes are not an image in a format that the service reads, whatever the name or type says."""

    code, status, title = "unsupported_image", 415, "The image format is not supported"


class InvalidParameter(QuickThumbError):
    """A parameter is unknown or has a value that is not allowed; `field` names it."""

    code, status, title = "invalid_parameter", 422, "A parameter is invalid"


class TooManyPixels(QuickThumbError):
    """The image has more pixels than `MAX_PIXELS`. An API key or upload policy may allow fewer. Send a smaller one."""

    code, status, title = "too_many_pixels", 422, "The image has too many pixels"


class TooManyFrames(QuickThumbError):
    """The animation has more frames than `MAX_FRAMES`."""

    code, status, title = "too_many_frames", 422, "The animation has too many frames"


class ResultsTooLarge(QuickThumbError):
    """The files of all results of the job together have more than `MAX_RESULT_BYTES`. Ask for fewer or smaller outputs,
    or for a format with stronger compression."""

    code, status, title = "results_too_large", 422, "The results are too large"


class TooManyParts(QuickThumbError):
    """The image is put together from far more parts than its size needs, which would take far too long to decode: a
    progressive JPEG of more scans than `MAX_SCANS`, a PNG in tiny chunks, a TIFF in tiny strips. Save it again with
    another program, or as a plain JPEG or PNG.
    """

    code, status, title = "too_many_parts", 422, "The image has too many parts"


class OrderTooLarge(QuickThumbError):
    """The job asks for more than one job may: more outputs than `MAX_OUTPUTS`, more pixels in all of them than
    `MAX_OUTPUT_PIXELS`, more of either than the API key or upload policy allows, more work than `MAX_WORK_SECONDS` or
    more memory than `DECODE_BUDGET_BYTES`; `detail` says which. Ask for fewer or smaller outputs, or spread them over
    several jobs."""

    code, status, title = "order_too_large", 422, "The job asks for too much"


class BrokenImage(QuickThumbError):
    """The image is damaged or cut off, so it cannot be decoded. Send it again from the original. With `truncated=fill`,
    the part that is there of a JPEG, PNG, GIF, BMP or TIFF that is cut off is rendered."""

    code, status, title = "broken_image", 422, "The image is damaged"


class InternalError(QuickThumbError):
    """The service has a fault, or a dependency behaves unexpectedly. The cause is in the service's log."""

    code, status, title = "internal_error", 500, "Internal server error"
    retry_may_help: ClassVar[bool] = True


class NotServing(QuickThumbError):
    """A part that the service needs is missing, or the service is shutting down. Try again a little later."""

    code, status, title, permanent = "not_serving", 503, "The service is not ready", False
    retry_after_seconds = 2


def catalogue() -> list[type[QuickThumbError]]:
    """All error classes, sorted by status and code: for the docs and for OpenAPI."""
    return sorted(QuickThumbError.__subclasses__(), key=lambda kind: (kind.status, kind.code))
