"""Small objects that are made once and never changed, as one process knows them: no request waits for a look-up."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from quickthumb.storage.contract import Storage
from quickthumb.storage.errors import StorageUnavailable

T = TypeVar("T")


class Registry(Generic[T]):
    """The objects below a folder of the storage.

    `read` makes one from its name and bytes, and returns None for what cannot be understood. It gets None for bytes
    that the storage does not give, such as those of a file that this process may not open: one of these must not keep
    the others from being known. Each refresh tries again to read it.
    """

    def __init__(self, storage: Storage, folder: str, read: Callable[[str, bytes | None], T | None]) -> None:
        self._storage = storage
        self._folder = folder
        self._read = read
        self._objects: dict[str, T | None] = {}
        self._unread: frozenset[str] = frozenset()
        # An older listing must not replace what a newer one found.
        self._reading = asyncio.Lock()
        self.is_read = False

    @property
    def objects(self) -> Mapping[str, T]:
        """What is understood, by the names in the storage."""
        return {name: one for name, one in self._objects.items() if one is not None}

    @property
    def has_any(self) -> bool:
        """Whether there is any object, understood or not."""
        return bool(self._objects)

    @property
    def not_understood(self) -> int:
        """How many objects there are of which `read` made nothing."""
        return sum(one is None for one in self._objects.values())

    async def refresh(self) -> bool:
        """Reads what was made since the last call, and forgets what is gone. Returns whether anything has changed.

        Raises what `Storage.list` raises; then everything stays as it was.
        """
        async with self._reading:
            names = {blob.key async for batch in self._storage.list(self._folder) for blob in batch}
            found = {name: await self._bytes_of(name) for name in names - (self._objects.keys() - self._unread)}
            unread = frozenset(name for name, data in found.items() if data is None)
            # What still cannot be read stays as it is: nobody is told of it again and again.
            unchanged = names & (self._objects.keys() - found.keys() | unread & self._unread)
            if self.is_read and names == self._objects.keys() == unchanged:
                return False
            known = {name: self._objects[name] for name in unchanged}
            known |= {name: self._read(name, found[name]) for name in names - known.keys()}
            self._objects, self._unread = known, unread
            self.is_read = True
            return True

    async def _bytes_of(self, name: str) -> bytes | None:
        try:
            return await self._storage.get(name)
        except StorageUnavailable:
            return None
