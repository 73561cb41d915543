"""What any storage may fail with."""

from quickthumb.model.errors import QuickThumbError


class StorageUnavailable(QuickThumbError):
    code, status, title, permanent = "storage_unavailable", 503, "The storage cannot be used", False
    retry_after_seconds = 5


class DiskFull(QuickThumbError):
    code, status, title, permanent = "disk_full", 507, "There is no space left to keep the image", False
    retry_after_seconds = 30


class BlobGone(FileNotFoundError):
    """A blob was removed, or replaced by other bytes, after it was found.

    Clients never see this error: each caller answers with what is missing from its point of view.
    """
