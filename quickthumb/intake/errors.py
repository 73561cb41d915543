"""The errors with which intake refuses an upload."""

from quickthumb.model.errors import QuickThumbError


class UploadTimedOut(QuickThumbError):
    """The body stopped for `UPLOAD_IDLE_SECONDS`, or took longer than `UPLOAD_TOTAL_SECONDS` as a whole."""

    code, status, title = "upload_timed_out", 408, "The upload took too long"


class TooManyBytes(QuickThumbError):
    """The image is larger than `MAX_UPLOAD_BYTES`, or than the API key or upload policy allows; or the fields are more
    or larger than their limits."""

    code, status, title = "too_many_bytes", 413, "The upload is too large"


class UnsupportedMediaType(QuickThumbError):
    """Send a form, a body of type `image/*` or `application/octet-stream`, or JSON, without a `Content-Encoding`."""

    code, status, title = "unsupported_media_type", 415, "The request's content type is not accepted"


class BatchTooLarge(QuickThumbError):
    """The batch has more images or more bytes than the settings `BATCH_MAX_IMAGES` and `BATCH_MAX_BYTES` admit, or is a
    ZIP that unpacks to far more than its size. Send several smaller batches."""

    code, status, title = "batch_too_large", 413, "The batch is too large"


def image_too_large(max_bytes: int, set_by: str | None = None) -> TooManyBytes:
    """The error for an image of more than `max_bytes`, which is the setting unless something else has `set_by` it."""
    told = f"at most {max_bytes} bytes are accepted" if set_by is None else f"{set_by} allows at most {max_bytes} bytes"
    return TooManyBytes(f"The image is too large; {told}.")
