"""A stored file as a verb hands it to a door: what is known of it, and its bytes as a stream."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from quickthumb.service.errors import UnknownResult
from quickthumb.storage import Blob, Storage
from quickthumb.storage.errors import BlobGone


@dataclass(frozen=True, slots=True)
class Download:
    """A result or a source, as it was when the verb found it."""

    blob: Blob
    storage: Storage

    async def read(self, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Streams the bytes from `start` up to but not including `end` (default: all), in blocks.

        Raises UnknownResult if the file was removed meanwhile; before the first block unless it is removed later than
        that. Close an iterator that you do not exhaust.
        """
        try:
            async with aclosing(self.storage.read(self.blob, start, end)) as blocks:
                async for block in blocks:
                    yield block
        except BlobGone as error:
            raise UnknownResult("The file is no longer kept.") from error
