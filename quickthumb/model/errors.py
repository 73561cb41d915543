"""The one catalogue of errors.

Each class is a row: a stable `code`, the HTTP `status`, a human `title`, and whether trying again is
pointless (`permanent`). The web renders any of them as problem+json; the worker reads `permanent` to fail a
job or to retry it. Errors of libraries are translated into these where they occur, so nobody above matches
message texts. This module knows neither HTTP libraries nor Redis.
"""

from typing import ClassVar


class QuickThumbError(Exception):
    """Something went wrong in a way that a user may be told about.

    `detail` is one plain sentence for the user; it never carries a path, a secret or a traceback.
    `field` names the request's field that is at fault, where there is one.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    permanent: ClassVar[bool] = True
    retry_after_seconds: ClassVar[int | None] = None

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class MalformedRequest(QuickThumbError):
    code, status, title = "malformed_request", 400, "The request could not be understood"


class SourceMissing(QuickThumbError):
    code, status, title = "source_missing", 404, "The source is not kept"


class UnsupportedImage(QuickThumbError):
    code, status, title = "unsupported_image", 415, "This is not an image that can be read"


class InvalidParameter(QuickThumbError):
    code, status, title = "invalid_parameter", 422, "A parameter is not valid"


class TooManyPixels(QuickThumbError):
    code, status, title = "too_many_pixels", 422, "The image has too many pixels"


class TooManyFrames(QuickThumbError):
    code, status, title = "too_many_frames", 422, "The animation has too many frames"


class BrokenImage(QuickThumbError):
    code, status, title = "broken_image", 422, "The image is damaged"


class InternalError(QuickThumbError):
    code, status, title = "internal_error", 500, "Something went wrong on the server"


class NotServing(QuickThumbError):
    code, status, title, permanent = "not_serving", 503, "The service is not ready", False
    retry_after_seconds = 2


def catalogue() -> list[type[QuickThumbError]]:
    """Every error there is, by status and code: for the docs and for OpenAPI."""
    return sorted(QuickThumbError.__subclasses__(), key=lambda kind: (kind.status, kind.code))
