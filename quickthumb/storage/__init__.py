"""Where the bytes live: sources with their records, and results. Knows no Redis, no HTTP and no images."""

from quickthumb.storage.contract import Arrival, Blob, Kept, RetentionAges, Storage, SweepReport
from quickthumb.storage.files import FileStorage

__all__ = ["Arrival", "Blob", "FileStorage", "Kept", "RetentionAges", "Storage", "SweepReport"]
