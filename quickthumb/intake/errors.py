"""The errors with which intake refuses an upload."""

from quickthumb.model.errors import QuickThumbError


class UploadTimedOut(QuickThumbError):
    """The body stopped for `UPLOAD_IDLE_SECONDS`, or took longer than `UPLOAD_TOTAL_SECONDS` as a whole."""

    code, status, title = "upload_timed_out", 408, "The upload took too long"


class TooManyBytes(QuickThumbError):
    """The image is larger than `MAX_UPLOAD_BYTES`, or the fields are larger or more than their limits."""

    code, status, title = "too_many_bytes", 413, "The upload is too large"


class UnsupportedMediaType(QuickThumbError):
    """Send a form, a body of type `image/*` or `application/octet-stream`, or JSON; none of them compressed."""

    code, status, title = "unsupported_media_type", 415, "The request's content type is not accepted"


def image_too_large(max_bytes: int) -> TooManyBytes:
    """The error for an image of more than `max_bytes`."""
    return TooManyBytes(f"The image is too large; at most {max_bytes} bytes are accepted.")
