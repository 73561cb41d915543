"""What every measure is given, and what it yields."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.load import Generator, Load
from benchmarks.photos import Photo
from benchmarks.processes import cpu_seconds
from benchmarks.stacks import RunningStack

# One line of the results: plain JSON values. The report makes medians and ratios from all lines of a measure.
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """The running stacks that are compared, the photos, and the number of rounds. `scale` shortens runs; the full run
    has 1."""

    stacks: Sequence[RunningStack]
    photos: dict[str, Photo]
    chosen: Sequence[str]
    rounds: int
    scale: float
    generator: Generator
    tell: Callable[[str], None]

    def images(self, number: int) -> int:
        """How many images a run of that many has at this scale."""
        return max(16, round(number * self.scale))


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure: its name on the command line, what it tells, and how to take it.

    One that does not compare stacks starts what it needs itself, once the stacks have stopped.
    """

    name: str
    title: str
    take: Callable[[Bench], Iterator[Record]]
    compares: bool = False


def load_of(running: RunningStack, photo: Photo, images: int, sizes: Sequence[int], **options: Any) -> Load:
    """A load for a running stack."""
    stack = running.stack
    fields = stack.fields(sizes)
    return Load(running.port, str(photo.path), images, stack.done, stack.failed, fields=fields, **options)


def cpu_between(running: RunningStack, before: Mapping[str, float], images: int) -> dict[str, float]:
    """The CPU time per image since a reading of `cpu_seconds`, by role, in milliseconds."""
    after = cpu_seconds(running.servers)
    return {role: round((after[role] - before.get(role, 0.0)) / images * 1e3, 3) for role in sorted(after)}


def settle(running: RunningStack) -> None:
    """Frees the disk of a stack's uploads, and waits until it is quiet: no stack must pay for another's writes.

    Files are emptied rather than removed. For a minute after a file was removed, ext4 without a journal passes over its
    inode each time that it looks for a free one; so whoever creates the most files would pay for this tidying.
    """
    for path in (running.folder / running.stack.uploads).rglob("*"):
        if path.is_file():
            os.truncate(path, 0)
    os.sync()


def in_turn(stacks: Sequence[RunningStack], turn: int) -> Sequence[RunningStack]:
    """The stacks, beginning with another one in every round."""
    first = turn % len(stacks) if stacks else 0
    return [*stacks[first:], *stacks[:first]]
