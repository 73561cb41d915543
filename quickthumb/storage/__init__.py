"""Stores the bytes: sources, records, outcomes and results. Knows nothing of Redis, HTTP or images."""

from quickthumb.storage.contract import Arrival, Blob, Kept, Recorded, RetentionAges, Storage, SweepReport, Work
from quickthumb.storage.files import FileStorage

__all__ = ["Arrival", "Blob", "FileStorage", "Kept", "Recorded", "RetentionAges", "Storage", "SweepReport", "Work"]
