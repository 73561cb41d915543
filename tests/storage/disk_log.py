"""What reached a disk before its power was lost: a log of all changes, and the states that a crash may leave behind.

The log knows folders and files as numbers, since a file keeps its content when its names change. POSIX promises nothing
of a change that was not synced, so any of these may be on the disk or not, whatever the order in which they were made.
Two things are taken for granted, as every journaling or copy-on-write file system grants them:

- a rename is on the disk as a whole or not at all, and syncing either folder syncs the rename;
- an entry is moved or removed on the disk only if the disk has seen that entry.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

ROOT = 0
# Disks write sectors whole, and file systems allocate blocks.
SECTOR_BYTES = 512
BLOCK_BYTES = 4096
# With so few unsynced changes, all combinations of them are tried.
FEW_CHANGES = 4

# Every folder (None) and file (its content) of a disk, by its path.
State = dict[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of folders that changed at once: `slots` has folder, name, and what has this name now. `needs` are the
    places in the log of earlier changes without which this one cannot be on a disk."""

    slots: tuple[tuple[int, str, int | None], ...]
    needs: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Content:
    """The whole content that a file has now."""

    file: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Synced:
    """A file or a folder was synced: what the log said of it before its place `upto` is on the disk. `name` is for
    people."""

    number: int
    upto: int
    name: str


@dataclass(slots=True)
class Log:
    """All changes to the folders and files below a root, in the order in which they were made."""

    steps: list[Entries | Content | Synced] = field(default_factory=list)
    folders: set[int] = field(default_factory=lambda: {ROOT})

    def changed_entries(self, folder: int) -> set[str]:
        """The names in a folder that changed since it was synced last."""
        names: set[str] = set()
        for step in reversed(self.steps):
            if isinstance(step, Synced) and step.number == folder:
                break
            if isinstance(step, Entries):
                names |= {name for above, name, _ in step.slots if above == folder}
        return names

    def told(self, at: int) -> str:
        """The last steps before this place, for people."""
        return "\n".join(str(step)[:200] for step in self.steps[max(0, at - 8) : at])

    def syncs(self) -> dict[int, str]:
        """The name of each sync, by its place in the log."""
        return {place: step.name for place, step in enumerate(self.steps) if isinstance(step, Synced)}


class Crash:
    """The loss of power after the first `at` steps of a log. `ignored` are the places of syncs that never happened."""

    def __init__(self, log: Log, at: int, ignored: frozenset[int] = frozenset()) -> None:
        self._folders = log.folders
        self._changes = {place: step for place, step in enumerate(log.steps[:at]) if isinstance(step, Entries)}
        self._versions: dict[int, list[tuple[int, bytes]]] = {}
        for place, step in enumerate(log.steps[:at]):
            if isinstance(step, Content):
                self._versions.setdefault(step.file, []).append((place, step.data))
        synced = [s for place, s in enumerate(log.steps[:at]) if isinstance(s, Synced) and place not in ignored]
        self._upto: dict[int, int] = {}
        for sync in synced:
            self._upto[sync.number] = max(sync.upto, self._upto.get(sync.number, 0))
        self._certain = self._with_needs(
            place
            for place, change in self._changes.items()
            if any(place < self._upto.get(folder, 0) for folder, _, _ in change.slots)
        )
        self.pending = [place for place in self._changes if place not in self._certain]

    def states(self, chance: random.Random, tries: int) -> Iterator[State]:
        """The state of the disk if it has only what was synced; if it has everything; if it has all entries but no
        content that was not synced; and `tries` mixtures. If the changes are few, all combinations of them, too."""
        everything = frozenset(self._changes)
        yield self._state(self._certain, self._synced_content)
        yield self.everything()
        yield self._state(everything, self._synced_content)
        if len(self.pending) <= FEW_CHANGES:
            for size in range(1, len(self.pending) + 1):
                for some in combinations(self.pending, size):
                    yield self._state(self._with(some), lambda file: self._any_content(file, chance))
        for _ in range(tries):
            likely = chance.choice((0.2, 0.5, 0.8))
            some = tuple(place for place in self.pending if chance.random() < likely)
            yield self._state(self._with(some), lambda file: self._any_content(file, chance))

    def everything(self) -> State:
        """The disk as it would be if the power had not been lost."""
        return self._state(frozenset(self._changes), self._latest_content)

    def _with(self, places: Iterable[int]) -> frozenset[int]:
        return self._certain | self._with_needs(places)

    def _with_needs(self, places: Iterable[int]) -> frozenset[int]:
        found: set[int] = set()
        left = list(places)
        while left:
            place = left.pop()
            if place not in found:
                found.add(place)
                left.extend(self._changes[place].needs)
        return frozenset(found)

    def _state(self, on_disk: frozenset[int], content: Callable[[int], bytes]) -> State:
        entries: dict[int, dict[str, int]] = {}
        for place, change in self._changes.items():
            if place not in on_disk:
                continue
            for folder, name, number in change.slots:
                if number is None:
                    entries.get(folder, {}).pop(name, None)
                else:
                    entries.setdefault(folder, {})[name] = number
        state: State = {}
        contents: dict[int, bytes] = {}
        folders = [("", ROOT)]
        while folders:
            path, folder = folders.pop()
            for name, number in entries.get(folder, {}).items():
                below = f"{path}{name}"
                if number in self._folders:
                    state[below] = None
                    folders.append((f"{below}/", number))
                else:
                    contents[number] = contents[number] if number in contents else content(number)
                    state[below] = contents[number]
        return state

    def _synced_content(self, file: int) -> bytes:
        versions = [data for place, data in self._versions.get(file, ()) if place < self._upto.get(file, 0)]
        return versions[-1] if versions else b""

    def _latest_content(self, file: int) -> bytes:
        versions = self._versions.get(file)
        return versions[-1][1] if versions else b""

    def _any_content(self, file: int, chance: random.Random) -> bytes:
        """The synced content, a later one or its beginning, zeros, or a mixture of blocks or sectors of all of them."""
        old = self._synced_content(file)
        later = [data for place, data in self._versions.get(file, ()) if place >= self._upto.get(file, 0)]
        if not later:
            return old
        new = chance.choice(later)
        length = chance.choice((len(old), len(new), len(new) // SECTOR_BYTES * SECTOR_BYTES, len(new) // 2))
        unit = chance.choice((SECTOR_BYTES, BLOCK_BYTES))
        mixed = bytearray(length)
        for start in range(0, length, unit):
            block = chance.choice((old, new, new, b""))[start : start + unit][: length - start]
            mixed[start : start + len(block)] = block
        return chance.choice((old, new, new[:length], bytes(len(new)), bytes(mixed)))
