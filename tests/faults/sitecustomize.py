"""Pictures of certain sizes harm whoever makes them, in every Python that finds this file on its path.

Python imports a module of this name when it starts. The product knows nothing of it.
"""

import contextlib
import ctypes
import importlib.abc
import importlib.machinery
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

ENGINE = "quickthumb.imaging.engine"
CHUNK = 16 * 1024 * 1024
MACHINE_BYTES = 640 * 1024 * 1024


def hang() -> None:
    while True:
        time.sleep(0.01)


def breed() -> None:
    """Starts a process of its own, and hangs."""
    subprocess.Popen(["sleep", "60"])
    hang()


def freeze() -> None:
    """Holds the GIL until the stars go out."""
    re.fullmatch("(a|aa)+", "a" * 10_000 + "b")


def swell() -> None:
    """Takes memory without end. Where there is no limit, the kernel of a small machine is played, too."""
    hoard: list[bytes] = []
    while True:
        hoard.append(bytes([len(hoard) % 256]) * CHUNK)
        if len(hoard) * CHUNK > MACHINE_BYTES:
            os.kill(os.getpid(), signal.SIGKILL)


def segfault() -> None:
    ctypes.string_at(0)


FAULTS: dict[tuple[int, int], Callable[[], None]] = {
    (13, 13): os.abort,
    (13, 14): hang,
    (13, 15): freeze,
    (13, 16): swell,
    (13, 17): segfault,
    (13, 18): breed,
}


class Poisoning(importlib.abc.MetaPathFinder):
    """Finds the engine as usual, and wraps its `render`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != ENGINE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        assert spec is not None
        assert spec.loader is not None
        loader = spec.loader
        execute = loader.exec_module

        def execute_and_wrap(module: ModuleType) -> None:
            execute(module)
            module.render = _poisoned(module.render)  # type: ignore[attr-defined]

        loader.exec_module = execute_and_wrap  # type: ignore[method-assign]
        return spec


def _poisoned(render: Callable[..., Any]) -> Callable[..., Any]:
    from quickthumb.imaging.header import read_header_of_file
    from quickthumb.model.errors import QuickThumbError

    def poisoned(source: Any, *args: Any, **options: Any) -> Any:
        with contextlib.suppress(QuickThumbError):
            header = read_header_of_file(source)
            fault = FAULTS.get((header.width, header.height))
            if fault is not None:
                fault()
        return render(source, *args, **options)

    return poisoned


sys.meta_path.insert(0, Poisoning())
