"""Errors that any storage may raise."""

from quickthumb.model.errors import QuickThumbError


class StorageUnavailable(QuickThumbError):
    """The service cannot read or write its files. The cause is in the service's log; try again."""

    code, status, title, permanent = "storage_unavailable", 503, "The storage is unavailable", False
    retry_after_seconds = 5


class DiskFull(QuickThumbError):
    """The disk that holds the images has no room left. Try again once the operator has freed some space."""

    code, status, title, permanent = "disk_full", 507, "The server's disk is full", False
    retry_after_seconds = 30


class WrongStorage(QuickThumbError):
    """The storage is not the one that holds this service's jobs, or is not known to be. The service's log has the
    cause."""

    code, status, title, permanent = "wrong_storage", 503, "The server sees the wrong storage", False
    retry_after_seconds = 5


class BlobGone(FileNotFoundError):
    """A blob was removed, or replaced by other bytes, after it was found.

    Clients never see this error: each caller answers with an error of its own, such as a missing source or result.
    """
