"""Records every change that this process makes to a folder, whichever of Python's functions it uses.

The recorder trusts no list of functions: it looks at the folder itself. Python tells an audit hook of each call that
opens, makes, links, renames or removes anything; before each of them, and before each sync, the recorder compares the
folder with what it saw last. So a change that Python does not tell of is seen a moment later all the same. A sync that
the recorder does not see counts as none, and then the tests fail.
"""

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.storage.disk_log import ROOT, Content, Entries, Log, State, Synced

CHANGES = frozenset(
    {"os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.truncate", "os.symlink", "os.utime"}
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# In the names of syncs: ids with their tokens, and the folders that spread them.
PLACEHOLDERS = ((re.compile(r"[0-9a-f]{32}(\.[^/]*)?"), "ID"), (re.compile(r"(?<![^/])[0-9a-f]{3}(?=/|$)"), "SHARD"))
TOKEN = re.compile(r"\.[0-9a-f]{16}$")

# A folder's entries, by the number of its inode; and each file's content.
Tree = tuple[dict[int, dict[str, int]], dict[int, bytes]]

_recorders: list["Recorder"] = []
_hook_lock = threading.Lock()
_hooked = False


class Moved(Exception):
    """A folder or a file was moved while the recorder looked at it."""


class Recorder:
    """Keeps the log of the changes below `root`, an empty folder. `refuse` may raise an OSError instead of a sync; it
    is given the name of what would be synced."""

    def __init__(self, root: Path) -> None:
        self.log = Log()
        self.refuse: Callable[[str], object] = lambda _: None
        self._root = root
        self._lock = threading.RLock()
        self._looking = False
        self._pinned: dict[int, int] = {}  # open descriptors by inode: the kernel gives no inode twice meanwhile
        self._numbers = {root.stat().st_ino: ROOT}
        self._paths: dict[int, str] = {}
        self._tree: Tree = ({}, {})
        self._made_by: dict[tuple[int, str], int] = {}  # the place in the log that gave a name to what has it now

    def look(self) -> int:
        """Logs what has changed since the last look. Returns the length of the log."""
        with self._lock:
            if not self._looking:
                self._looking = True
                try:
                    self._log_changes(self._stable_tree())
                finally:
                    self._looking = False
            return len(self.log.steps)

    def sync(self, descriptor: int, really: Callable[[int], None]) -> None:
        """Syncs, and logs it if it is below the root."""
        inode = os.fstat(descriptor).st_ino
        with self._lock:
            upto = self.look()
            number, name = self._numbers.get(inode), self._name(inode)
        if number is not None:
            self.refuse(name)
        really(descriptor)
        if number is not None:
            with self._lock:
                self.log.steps.append(Synced(number, upto, name))

    def state(self) -> State:
        """The folder as it is."""
        self.look()
        folders, files = self._tree
        found: State = {}
        for folder, entries in folders.items():
            above = self._paths[folder]
            for name, inode in entries.items():
                path = f"{above}/{name}" if above else name
                found[path] = None if inode in folders else files[inode]
        return found

    def close(self) -> None:
        """Lets go of everything that it looked at."""
        for descriptor in self._pinned.values():
            os.close(descriptor)
        self._pinned.clear()

    def _name(self, inode: int) -> str:
        """The path of an inode; if it is a folder, with its entries that changed since it was synced last."""
        name = _without_ids(self._paths.get(inode, "")) or "."
        number = self._numbers.get(inode)
        if number not in self.log.folders:
            return name
        changed = {_without_ids(entry) for entry in self.log.changed_entries(number)}
        return f"{name}: {', '.join(sorted(changed)) or 'nothing'}"

    def _stable_tree(self) -> Tree:
        """The tree as it was at one moment, although other threads may be changing it."""
        previous: Tree | None = None
        while True:
            try:
                tree = self._read_tree()
            except (Moved, FileNotFoundError, NotADirectoryError):
                continue
            if tree == previous:
                return tree
            previous = tree

    def _read_tree(self) -> Tree:
        folders: dict[int, dict[str, int]] = {}
        files: dict[int, bytes] = {}
        top = self._root.stat().st_ino
        paths = {top: ""}
        left = [top]
        while left:
            folder = left.pop()
            entries = folders.setdefault(folder, {})
            with os.scandir(self._root / paths[folder]) as scanned:
                for entry in scanned:
                    inode = entry.inode()
                    entries[entry.name] = inode
                    paths[inode] = f"{paths[folder]}/{entry.name}" if paths[folder] else entry.name
                    descriptor = self._pin(inode, entry.path)
                    if entry.is_dir(follow_symlinks=False):
                        left.append(inode)
                    else:
                        files[inode] = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        self._paths = paths
        return folders, files

    def _pin(self, inode: int, path: str) -> int:
        if inode not in self._pinned:
            descriptor = os.open(path, os.O_RDONLY)
            if os.fstat(descriptor).st_ino != inode:
                os.close(descriptor)
                raise Moved(path)
            self._pinned[inode] = descriptor
        return self._pinned[inode]

    def _log_changes(self, tree: Tree) -> None:
        (old_folders, old_files), (folders, files) = self._tree, tree
        for inode in (*folders, *files):
            self._numbers.setdefault(inode, len(self._numbers))
        self.log.folders.update(self._numbers[inode] for inode in folders)
        for slots in self._changed_together(old_folders, folders):
            self._log_entries(slots)
        for inode, data in files.items():
            if data != old_files.get(inode, b""):
                self.log.steps.append(Content(self._numbers[inode], data))
        self._tree = tree

    def _changed_together(
        self, old: dict[int, dict[str, int]], new: dict[int, dict[str, int]]
    ) -> list[list[tuple[int, str, int | None]]]:
        """The changed entries, one list for each file or folder whose entries they are: a rename is one list of two."""
        by_inode: dict[int, list[tuple[int, str, int | None]]] = {}
        for folder in {**old, **new}:
            before, now = old.get(folder, {}), new.get(folder, {})
            if folder not in new:
                continue  # an empty folder, removed: the entry in its parent says so
            for name in {**before, **now}:
                if before.get(name) != now.get(name):
                    subject = now[name] if name in now else before[name]
                    by_inode.setdefault(subject, []).append((folder, name, now.get(name)))
        return list(by_inode.values())

    def _log_entries(self, changed: list[tuple[int, str, int | None]]) -> None:
        slots = tuple(
            (self._numbers[folder], name, None if inode is None else self._numbers[inode])
            for folder, name, inode in changed
        )
        needs = {self._made_by.pop((folder, name)) for folder, name, _ in slots if (folder, name) in self._made_by}
        for folder, name, number in slots:
            if number is not None:
                self._made_by[folder, name] = len(self.log.steps)
        self.log.steps.append(Entries(slots, frozenset(needs)))


def _without_ids(path: str) -> str:
    path = TOKEN.sub("", path)
    for pattern, placeholder in PLACEHOLDERS:
        path = pattern.sub(placeholder, path)
    return path


@contextmanager
def recording(root: Path) -> Iterator[Recorder]:
    """Records what happens below an empty folder within the block."""
    _hook()
    recorder = Recorder(root)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "fdatasync"):
            if hasattr(os, name):
                patch.setattr(os, name, _recorded(recorder, getattr(os, name)))
        _recorders.append(recorder)
        try:
            yield recorder
            recorder.look()
        finally:
            _recorders.remove(recorder)
            recorder.close()


def _recorded(recorder: Recorder, really: Callable[[int], None]) -> Callable[[Any], None]:
    def sync(file: Any) -> None:
        recorder.sync(file if isinstance(file, int) else file.fileno(), really)

    return sync


def _hook() -> None:
    """Python has no way to remove a hook. So there is one, for good, which does nothing while nobody records."""
    global _hooked
    with _hook_lock:
        if not _hooked:
            sys.addaudithook(_tell)
            _hooked = True


def _tell(event: str, args: tuple[Any, ...]) -> None:
    if _recorders and (event in CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & WRITING)):
        for recorder in _recorders:
            recorder.look()
