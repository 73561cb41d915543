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


class AddressNotAllowed(QuickThumbError):
    code, status, title = "address_not_allowed", 403, "This address may not be written to"


class NotFound(QuickThumbError):
    code, status, title = "not_found", 404, "There is nothing at this address"


class MethodNotAllowed(QuickThumbError):
    code, status, title = "method_not_allowed", 405, "This address does not take that method"


class UnknownJob(QuickThumbError):
    code, status, title = "unknown_job", 404, "There is no such job"


class UnknownResult(QuickThumbError):
    code, status, title = "unknown_result", 404, "The job has no such result"


class UploadTimedOut(QuickThumbError):
    code, status, title = "upload_timed_out", 408, "The upload stalled"


class SourceMissing(QuickThumbError):
    code, status, title = "source_missing", 404, "The source is not kept"


class HeadTimedOut(QuickThumbError):
    code, status, title = "head_timed_out", 408, "The request's head did not arrive in time"


class HeadTooLarge(QuickThumbError):
    code, status, title = "head_too_large", 431, "The request's head is too large"


class NotReady(QuickThumbError):
    code, status, title = "not_ready", 409, "The job has not finished"
    retry_after_seconds = 1


class WrongState(QuickThumbError):
    code, status, title = "wrong_state", 409, "The job's status does not allow this"


class RequestInProgress(QuickThumbError):
    code, status, title = "request_in_progress", 409, "The same request is still being received"
    retry_after_seconds = 1


class TooManyBytes(QuickThumbError):
    code, status, title = "too_many_bytes", 413, "The upload is too large"


class UnsupportedMediaType(QuickThumbError):
    code, status, title = "unsupported_media_type", 415, "The request's content type is not accepted"


class UnsupportedImage(QuickThumbError):
    code, status, title = "unsupported_image", 415, "This is not an image that can be read"


class RangeNotSatisfiable(QuickThumbError):
    code, status, title = "range_not_satisfiable", 416, "The file has no such range"


class InvalidParameter(QuickThumbError):
    code, status, title = "invalid_parameter", 422, "A parameter is not valid"


class KeyReused(QuickThumbError):
    code, status, title = "idempotency_key_reused", 422, "The Idempotency-Key belongs to another request"


class NotSquare(QuickThumbError):
    code, status, title = "not_square", 422, "The image is not square"


class TooManyPixels(QuickThumbError):
    code, status, title = "too_many_pixels", 422, "The image has too many pixels"


class TooManyFrames(QuickThumbError):
    code, status, title = "too_many_frames", 422, "The animation has too many frames"


class BrokenImage(QuickThumbError):
    code, status, title = "broken_image", 422, "The image is damaged"


class JobTimedOut(QuickThumbError):
    code, status, title = "job_timed_out", 422, "The image took too long to process"


class DecoderCrashed(QuickThumbError):
    code, status, title = "decoder_crashed", 422, "The image makes its decoder crash"


class MemoryExceeded(QuickThumbError):
    code, status, title = "memory_exceeded", 422, "The image needs too much memory"


class InternalError(QuickThumbError):
    code, status, title = "internal_error", 500, "Something went wrong on the server"


class TooManyAttempts(QuickThumbError):
    code, status, title = "too_many_attempts", 500, "The job was tried too often"


class MailRefused(QuickThumbError):
    code, status, title = "mail_refused", 502, "The mail server refused the email"


class MailUnavailable(QuickThumbError):
    code, status, title, permanent = "mail_unavailable", 503, "The email could not be handed over", False


class QueueUnavailable(QuickThumbError):
    code, status, title, permanent = "queue_unavailable", 503, "The queue cannot be reached", False
    retry_after_seconds = 2


class StorageUnavailable(QuickThumbError):
    code, status, title, permanent = "storage_unavailable", 503, "The storage cannot be used", False
    retry_after_seconds = 5


class QueueFull(QuickThumbError):
    code, status, title, permanent = "queue_full", 503, "Too much is waiting", False
    retry_after_seconds = 10


class NotServing(QuickThumbError):
    code, status, title, permanent = "not_serving", 503, "The service is not ready", False
    retry_after_seconds = 2


class DiskFull(QuickThumbError):
    code, status, title, permanent = "disk_full", 507, "There is no space left to keep the image", False
    retry_after_seconds = 30


# What an upload may be refused with, whichever door it comes through.
UPLOAD: tuple[type[QuickThumbError], ...] = (
    MalformedRequest,
    UploadTimedOut,
    TooManyBytes,
    UnsupportedMediaType,
    UnsupportedImage,
    BrokenImage,
    TooManyPixels,
    QueueFull,
    QueueUnavailable,
    StorageUnavailable,
    DiskFull,
)


def catalogue() -> list[type[QuickThumbError]]:
    """Every error there is, by status and code: for the docs and for OpenAPI."""
    return sorted(QuickThumbError.__subclasses__(), key=lambda kind: (kind.status, kind.code))
