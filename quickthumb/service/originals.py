"""Originals as they are served: the uploaded bytes, without the place where the picture was taken unless a setting says
so.

This is where the storage and the finders of location meet. The stored source is never changed: while its bytes are
read, a few of them are replaced, so that lengths and ranges stay.
"""

import asyncio
from collections import OrderedDict
from functools import partial

from quickthumb.imaging.location import Patches, TooInvolved, find_location
from quickthumb.model.errors import SourceMissing
from quickthumb.service.downloads import Download
from quickthumb.service.errors import OriginalWithheld
from quickthumb.storage import Blob, Storage
from quickthumb.storage.errors import BlobGone, StorageUnavailable

# Each is a few patches, as a rule; a file is looked through again when they are forgotten.
KEPT_FILES = 256
# A file that is made for it can take a second of a thread, and threads also read what others download.
SEARCHES_AT_ONCE = 2


class Originals:
    """Makes the downloads of sources. With `keeps_location`, they are the uploaded bytes."""

    def __init__(self, storage: Storage, *, keeps_location: bool) -> None:
        self._storage = storage
        self._keeps_location = keeps_location
        # By key and version. The searches that still run are among them, so that none runs twice. None stands for a
        # file that cannot be looked through.
        self._searches: OrderedDict[tuple[str, str], asyncio.Task[Patches | None]] = OrderedDict()
        self._turns = asyncio.Semaphore(SEARCHES_AT_ONCE)

    async def download(self, blob: Blob) -> Download:
        """The download of a source.

        Raises SourceMissing if it has just been removed, StorageUnavailable, and OriginalWithheld if looking through
        its file would take too long.
        """
        if self._keeps_location:
            return Download(blob, self._storage)
        return Download(blob, self._storage, await self._patches(blob))

    async def _patches(self, blob: Blob) -> Patches:
        key = blob.key, blob.version
        search = self._searches.get(key)
        if search is None:
            search = self._searches[key] = asyncio.create_task(self._search(blob), name=f"location {blob.key}")
            search.add_done_callback(partial(self._forget_failure, key))
        self._searches.move_to_end(key)
        if len(self._searches) > KEPT_FILES:
            self._searches.popitem(last=False)
        # Another request may wait for the same search.
        patches = await asyncio.shield(search)
        if patches is None:
            raise OriginalWithheld("The file has far too many parts to find its location in.")
        return patches

    def _forget_failure(self, key: tuple[str, str], search: asyncio.Task[Patches | None]) -> None:
        if (search.cancelled() or search.exception()) and self._searches.get(key) is search:
            del self._searches[key]

    async def _search(self, blob: Blob) -> Patches | None:
        try:
            async with self._turns, self._storage.local(blob) as path:
                return await asyncio.to_thread(find_location, path)
        except (BlobGone, FileNotFoundError) as error:
            raise SourceMissing("The source image of this job is no longer stored.") from error
        except OSError as error:
            raise StorageUnavailable("The server cannot use its storage right now.") from error
        except TooInvolved:
            return None
