"""Where the bytes live: sources with their records, and results. Knows no Redis, no HTTP and no images."""

from quickthumb.storage.contract import Ages, Arrival, Kept, Storage, Swept
from quickthumb.storage.files import FileStorage

__all__ = ["Ages", "Arrival", "FileStorage", "Kept", "Storage", "Swept"]
