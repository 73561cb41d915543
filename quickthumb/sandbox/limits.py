"""The limits that a sandbox process sets for itself before it looks at an upload.

They are permanent: a process can lower its resource limits but not raise them again. Where the system lacks a limit
(Windows has none of them, macOS does not limit memory), the parent's timer still applies. Only Linux limits what files
and system calls the process may use: by Landlock, if the kernel has it, and by a filter of system calls.
"""

import contextlib
import math
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from quickthumb.sandbox import landlock, syscalls
from quickthumb.sandbox.protocol import Confinement

PR_SET_PDEATHSIG = 1
# How long after the parent's timer the process ends by itself, in case the parent has died.
MARGIN_SECONDS = 2
FIRST_TO_BE_KILLED = "1000"
PACKAGE_FOLDERS = frozenset({"lib-dynload", "site-packages", "dist-packages"})
SYSTEM_LIBRARIES = tuple(
    Path(path)
    for path in (
        *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store", "/etc/ld.so.cache"),
        *("/dev/null", "/dev/urandom", "/usr/share/zoneinfo"),
        "/sys/devices/system/cpu",  # how many threads an encoder may use
    )
)


def confine(confinement: Confinement) -> None:
    """Applies all limits. Exits if the parent has died already."""
    _die_with(confinement.parent_pid)
    _limit_time(confinement.wall_seconds)
    _limit_resources(confinement)
    _volunteer_to_be_killed()


def enclose(source: Path, folder: Path) -> None:
    """Leaves the process nothing but its source to read, its folder to write, and the files of Python and of libraries;
    no connections, and no other processes. Call it once everything is open that is needed from elsewhere.

    Where the system refuses this, the process goes on without it, and says so on standard error.
    """
    for give_up in (partial(landlock.restrict, [source, *_libraries()], folder), syscalls.refuse):
        try:
            give_up()
        except OSError as error:
            sys.stderr.write(f"quickthumb: a sandbox process could not give up all of its rights: {error}\n")


def _libraries() -> Iterator[Path]:
    """Where Python finds the modules, and the system the libraries, that may still be loaded.

    Not simply every folder that Python imports from: that may be the working directory, which may hold the data.
    """
    yield Path(os.__file__).parent
    yield from (Path(prefix) / "lib" for prefix in (sys.prefix, sys.base_prefix))
    yield from (Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder)
    yield from (Path(folder) for folder in sys.path if Path(folder).name in PACKAGE_FOLDERS)
    packages = [module for name, module in list(sys.modules.items()) if "." not in name]
    yield from (Path(folder) for package in packages for folder in getattr(package, "__path__", ()))
    yield from SYSTEM_LIBRARIES


def _die_with(parent_pid: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if sys.platform != "win32" and os.getppid() != parent_pid:
        sys.exit("the worker that started this process is gone")


def _limit_time(wall_seconds: float) -> None:
    """Sets an alarm without a handler: it ends the process whatever the process is doing."""
    if sys.platform == "win32":
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A service manager may signal all processes of a service. Only the worker reacts, and ends this process.
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, wall_seconds + MARGIN_SECONDS)


def _limit_resources(confinement: Confinement) -> None:
    if sys.platform == "win32":
        return
    import resource

    # An encoder's threads can use every core.
    cpu_seconds = math.ceil((confinement.wall_seconds + MARGIN_SECONDS) * (os.cpu_count() or 1))
    _lower(resource.RLIMIT_CPU, cpu_seconds)
    _lower(resource.RLIMIT_CORE, 0)
    # Counts private writable memory. RLIMIT_AS also counts address space that is only reserved, which is much more.
    _lower(resource.RLIMIT_DATA, confinement.memory_bytes)


def _lower(kind: int, wanted: int) -> None:
    import resource

    _, hard = resource.getrlimit(kind)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses some of these limits
        resource.setrlimit(kind, (limit, limit))


def _volunteer_to_be_killed() -> None:
    """Makes the kernel kill this process, not its worker, when the machine or the container runs out of memory."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_BE_KILLED, encoding="ascii")
