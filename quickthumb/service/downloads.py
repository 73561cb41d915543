"""A stored file as a verb returns it: what is known about it, and its bytes as a stream."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from quickthumb.imaging.location import Patches
from quickthumb.service.errors import UnknownResult
from quickthumb.storage import Blob, Storage
from quickthumb.storage.errors import BlobGone

UNCHANGED = Patches()


@dataclass(frozen=True, slots=True)
class Download:
    """The file of a result or of a source, as it was when the verb found it, with `patches` over some of its bytes."""

    blob: Blob
    storage: Storage
    patches: Patches = UNCHANGED

    @property
    def version(self) -> str:
        """Text for an ETag: different bytes of a file never have the same."""
        return "-".join(filter(None, (self.blob.version, self.patches.mark)))

    async def read(self, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Streams the bytes from `start` up to but not including `end` (default: all), in blocks.

        Raises UnknownResult if the file has been removed: before the first block, unless the removal comes later than
        that. Close an iterator that you do not exhaust.
        """
        try:
            async with aclosing(self.storage.read(self.blob, start, end)) as blocks:
                at = start
                async for block in blocks:
                    yield self.patches.apply(block, at)
                    at += len(block)
        except BlobGone as error:
            raise UnknownResult("The file is no longer available.") from error
