"""The identity of a data folder: the id in its `store.json`, and whether it is the id that the folder should have."""

import json
import secrets
from pathlib import Path

from quickthumb.model.errors import Cause
from quickthumb.storage import objects
from quickthumb.storage.errors import StorageUnavailable, WrongStorage
from quickthumb.storage.layout import STORE

LAYOUT_VERSION = 1


class StoreFile:
    """`store.json` in a data folder. The methods block; call them in threads.

    Until `expect` is called, `check` lets everything pass: for tools and tests that use any folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / STORE
        self._expecting = False
        self._expected: str | None = None
        self._right: tuple[int, ...] | None = None

    @property
    def top(self) -> Path | None:
        """The folder that nothing may create again, since it should be there; None before `expect`."""
        return self._folder if self._expecting else None

    def create(self) -> str:
        """The id of the folder. The first caller creates it."""
        found = self.read()
        if found is None:
            store = {"id": secrets.token_hex(16), "version": LAYOUT_VERSION}
            objects.create(self._path, json.dumps(store).encode())
            found = self.read()
        if found is None:
            raise FileNotFoundError(str(self._path))
        return found

    def read(self) -> str | None:
        """The id of the folder; None if there is no `store.json`."""
        written = objects.read(self._path)
        if written is None:
            return None
        try:
            store = json.loads(written)
            if store["version"] == LAYOUT_VERSION:
                return str(store["id"])
        except (ValueError, TypeError, KeyError):
            raise StorageUnavailable("The data folder's store.json is damaged.") from Cause(str(self._path))
        raise StorageUnavailable(
            "The data folder was written by another release, whose layout this one cannot read."
        ) from Cause(str(self._path))

    def expect(self, identity: str | None) -> None:
        """From now on, `check` passes only if the folder has this id; with None, never."""
        self._right = None
        self._expecting, self._expected = True, identity

    def check(self) -> None:
        """Raises WrongStorage if the folder does not have the id that it should. Costs one stat as long as it does."""
        if not self._expecting:
            return
        if self._expected is None:
            raise WrongStorage("The server is still checking its storage.") from Cause(
                f"the id of the data folder {self._folder} was not compared with the one in Redis yet"
            )
        stamp = self._stamp()
        if stamp is not None and stamp == self._right:
            return
        found = self.read()
        if found != self._expected:
            raise WrongStorage("The server sees another storage than the one it should.") from Cause(
                _mismatch(self._folder, found, self._expected)
            )
        self._right = stamp

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _mismatch(folder: Path, found: str | None, expected: str) -> str:
    seen = f"has the id {found}" if found is not None else f"has no id (no {STORE})"
    return f"the data folder {folder} {seen}, but Redis belongs to the one with the id {expected}"
