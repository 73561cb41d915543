"""Whether this process sees the right storage: the one whose id is in Redis.

Web processes and workers share a storage. A process that sees another one, because of another DATA_DIR or a volume that
is not mounted, would take in images that no worker finds, or find no image that was taken in. So each process compares
the id of its storage with the one in Redis, and uses the storage only while they are the same.
"""

import logging
from collections.abc import Callable

from quickthumb.model.errors import Cause, QuickThumbError, for_operators
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.repair import StorageMark
from quickthumb.storage import Storage
from quickthumb.storage.errors import DiskFull, WrongStorage

log = logging.getLogger("quickthumb.storage")

# How often a process looks.
LOOK_SECONDS = 2.0
# What operators can do about a wrong storage.
REMEDY = (
    "Check the setting DATA_DIR, and whether its volume is mounted. If the folder is a new one on purpose, run "
    "`quickthumb recover --adopt-storage` with it."
)


def _nothing(*_: str) -> None:
    """The default for what to do when the trouble begins, and when it is over."""


class StorageGuard:
    """Compares and probes the storage of one process. Until the first comparison, nothing can be stored.

    Calls `on_trouble` with the cause when the storage cannot be used any more, and `on_recovery` once it can be again.
    """

    def __init__(
        self,
        storage: Storage,
        mark: StorageMark,
        on_trouble: Callable[[str], None] = _nothing,
        on_recovery: Callable[[], None] = _nothing,
    ) -> None:
        self._storage = storage
        self._mark = mark
        self._on_trouble = on_trouble
        self._on_recovery = on_recovery
        self._known: str | None = None
        self._trouble: tuple[str, object] | None = None
        self._detail: str | None = None
        storage.expect(None)

    @property
    def trouble(self) -> str | None:
        """What is wrong with the storage, in a sentence that may be shown to users; None if nothing is known to be."""
        return self._detail

    @property
    def is_full(self) -> bool:
        """Whether nothing is wrong with the storage but that it is full. Removing what has expired makes room then."""
        return self._trouble is not None and self._trouble[0] == DiskFull.code

    @property
    def is_wrong(self) -> bool:
        """Whether this is known to be another storage than the one it should be."""
        return self._trouble is not None and self._trouble[0] == WrongStorage.code

    async def check(self) -> None:
        """Compares the storage with Redis, and writes something to it.

        Raises WrongStorage, StorageUnavailable, DiskFull and QueueUnavailable, with the cause for operators.
        """
        found = await self._storage.find_identity()
        expected = await self._expected(found)
        self._storage.expect(expected)
        # Raises WrongStorage if it is not the expected one.
        await self._storage.probe(writing=True)
        self._known = expected

    async def _expected(self, found: str | None) -> str:
        """The id that the storage should have. If nobody has said yet, it is the one that this storage has."""
        if self._known is None:
            standing = None if found is not None else await self._mark.read()
            return standing or await self._mark.agree(found or await self._storage.identity())
        if found == self._known:
            return await self._mark.agree(found)
        # The storage was the right one before. A folder that has taken its place is not, even if Redis was wiped.
        return await self._mark.read() or self._known

    async def compare(self) -> None:
        """Compares the storage with Redis, and changes neither: for tools that look at jobs, in whatever folder they
        are started. Raises WrongStorage, StorageUnavailable and QueueUnavailable."""
        expected = await self._mark.read() or await self._storage.find_identity()
        self._storage.expect(expected)
        if expected is not None:  # else nothing was ever stored here
            await self._storage.probe()

    async def adopt(self) -> str:
        """Makes Redis belong to this storage, whichever it belonged to before. Returns the id of this storage."""
        identity = await self._storage.identity()
        await self._mark.replace(identity)
        await self.check()
        return identity

    async def watch(self) -> None:
        """Checks, and tells once when the storage cannot be used any more, and once when it can be again."""
        try:
            await self.check()
        except QueueUnavailable:
            return  # whether the storage is right is as unknown as before; other parts tell about Redis
        except QuickThumbError as error:
            self._begins(error)
        else:
            self._ends()

    def _begins(self, error: QuickThumbError) -> None:
        self._detail, cause = error.detail, error.__cause__
        # The paths of the same trouble differ from look to look.
        trouble = (error.code, cause.errno if isinstance(cause, OSError) else str(cause))
        if trouble != self._trouble:
            self._trouble = trouble
            log.error("this process cannot use its storage, and waits until it can: %s", told(error))
            self._on_trouble(told(error))

    def _ends(self) -> None:
        if self._trouble is not None:
            log.warning("this process can use its storage %s again", self._storage.place)
        self._trouble = self._detail = None
        self._on_recovery()


def told(error: QuickThumbError) -> str:
    """What operators need to know about trouble with the storage."""
    if isinstance(error, WrongStorage) and isinstance(error.__cause__, Cause):
        return f"{error.__cause__}. {REMEDY}"
    return for_operators(error)
