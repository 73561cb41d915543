"""Counts what a process does that costs time: syncs, and hops to another thread. For every Python that finds this file.

If Python traces its memory (PYTHONTRACEMALLOC), also notes the most bytes that it held at once, at each sync and hop.

Python imports a module of this name when it starts. The product knows nothing of it. The counts stand in a file of the
process in the folder COUNTS_FOLDER, as numbers of 8 bytes in the order of COUNTED, and can be read at any time.
"""

import importlib.abc
import importlib.machinery
import mmap
import os
import struct
import sys
import threading
import tracemalloc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

COUNTED = ("syncs", "hops", "peak bytes")
PEAK = COUNTED.index("peak bytes")
FOLDER = "COUNTS_FOLDER"
# The class through which the pictures' own threads get their work, and the method that hands it over.
LANES = "quickthumb.sandbox.lanes"
NUMBERS = struct.Struct(f"={len(COUNTED)}Q")


class Counts:
    """The counts of this process, in a file that others may read while they change."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(NUMBERS.size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), NUMBERS.size)
        self._numbers = [0] * len(COUNTED)
        self._lock = threading.Lock()

    def counting(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, which adds one to the count of that name each time."""
        place = COUNTED.index(name)

        def counted(*args: Any, **options: Any) -> Any:
            with self._lock:
                self._numbers[place] += 1
                self._numbers[PEAK] = tracemalloc.get_traced_memory()[1]
                NUMBERS.pack_into(self._memory, 0, *self._numbers)
            return call(*args, **options)

        return counted


class CountingLanes(importlib.abc.MetaPathFinder):
    """Finds the lanes of the pictures' threads as usual, and counts what they are given."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != LANES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def execute_and_wrap(module: ModuleType) -> None:
            execute(module)
            module.Lanes.put = self._counts.counting("hops", module.Lanes.put)

        spec.loader.exec_module = execute_and_wrap  # type: ignore[method-assign]
        return spec


def count(counts: Counts) -> None:
    for name in ("fsync", "fdatasync", "sync"):
        if hasattr(os, name):
            setattr(os, name, counts.counting("syncs", getattr(os, name)))
    ThreadPoolExecutor.submit = counts.counting("hops", ThreadPoolExecutor.submit)  # type: ignore[method-assign]
    sys.meta_path.insert(0, CountingLanes(counts))


if FOLDER in os.environ:
    count(Counts(Path(os.environ[FOLDER]) / str(os.getpid())))
