"""The errors with which intake refuses an upload."""

from quickthumb.model.errors import QuickThumbError


class UploadTimedOut(QuickThumbError):
    code, status, title = "upload_timed_out", 408, "The upload took too long"


class TooManyBytes(QuickThumbError):
    code, status, title = "too_many_bytes", 413, "The upload is too large"


class UnsupportedMediaType(QuickThumbError):
    code, status, title = "unsupported_media_type", 415, "The request's content type is not accepted"


def image_too_large(max_bytes: int) -> TooManyBytes:
    """The error for an image of more than `max_bytes`."""
    return TooManyBytes(f"The image is too large; at most {max_bytes} bytes are accepted.")
