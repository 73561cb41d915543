"""Starts and ends server processes, and counts the CPU time and the memory of them and of all that they started."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from quickthumb.cli import tether

READY_SECONDS = 60.0
GRACE_SECONDS = 15.0
POLL_SECONDS = 0.02

# Those that this process, and so everything that it starts, may use.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

# What a process does in its stack: "web", "worker", "redis" or "supervisor".
Role = str


class NotStarted(Exception):
    """A process ended before it was ready, or was not ready in time. The message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """A started process with its role. `role_of` finds the role of a process below it, which by default is its own."""

    role: Role
    process: subprocess.Popen[bytes]
    log: Path
    role_of: Callable[[Sequence[str]], Role | None] = lambda _: None

    def members(self) -> dict[psutil.Process, Role]:
        """This process and all below it. One without a role of its own has that of its parent."""
        found: dict[psutil.Process, Role] = {}
        with contextlib.suppress(psutil.NoSuchProcess):
            self._add(psutil.Process(self.process.pid), self.role, found)
        return found

    def _add(self, process: psutil.Process, role: Role, found: dict[psutil.Process, Role]) -> None:
        found[process] = role
        for child in process.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                self._add(child, self.role_of(child.cmdline()) or role, found)

    def stop(self) -> None:
        """Ends it and all that it started: politely, then at once."""
        members = list(self.members())
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE_SECONDS)
        for process in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        deadline = time.monotonic() + GRACE_SECONDS
        while any(_runs(process) for process in members) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def start(
    words: Sequence[str],
    role: Role,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    role_of: Callable[[Sequence[str]], Role | None] = lambda _: None,
) -> Server:
    """Starts a server in a folder. The kernel kills it when this process dies, however that happens."""
    log = folder / f"{role}-{time.monotonic_ns()}.log"
    tethered = [sys.executable, "-I", "-S", str(tether.__file__), str(os.getpid()), *words]
    with log.open("wb") as output:
        process = subprocess.Popen(
            tethered,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return Server(role, process, log, role_of)


def wait_until(is_ready: Callable[[], bool], server: Server) -> None:
    """Waits until the server is ready. Raises NotStarted if it ends before, or is not ready after READY_SECONDS."""
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready():
        if server.process.poll() is not None or time.monotonic() > deadline:
            raise NotStarted(f"{server.role} did not start:\n{server.log.read_text(errors='replace')[-2000:]}")
        time.sleep(POLL_SECONDS)


def listens(port: int) -> bool:
    """Whether something accepts connections at this port of the loopback interface."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port of the loopback interface that nothing uses now."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


def cpu_seconds(servers: Sequence[Server]) -> dict[Role, float]:
    """The CPU time by role, in seconds: user and system, with that of children which have ended and were waited for."""
    spent: defaultdict[Role, float] = defaultdict(float)
    for server in servers:
        for process, role in server.members().items():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
                spent[role] += times.user + times.system + ended
    return spent


def machine_cpu_seconds() -> float:
    """The CPU time that all processes of the machine have taken, in seconds."""
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0) + getattr(times, "irq", 0.0))


def memory_bytes(servers: Sequence[Server]) -> Counter[Role]:
    """The memory by role, in bytes: what would be free if the processes ended, without what others share."""
    held: Counter[Role] = Counter()
    for server in servers:
        for process, role in server.members().items():
            with contextlib.suppress(psutil.NoSuchProcess):
                info = process.memory_full_info()
                held[role] += getattr(info, "uss", info.rss)
    return held
