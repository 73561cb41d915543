"""What a process holds on to, as the kernel tells it."""

import sys
from pathlib import Path

import psutil
import pytest

MEBIBYTE = 1024 * 1024

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read from /proc")


def memory_bytes(pid: int) -> int:
    """Its resident memory."""
    return _status_bytes(pid, "VmRSS")


def highest_bytes(pid: int) -> int:
    """Its resident memory at its highest since it began, or since `forget_highest`."""
    return _status_bytes(pid, "VmHWM")


def forget_highest(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def descriptors(pid: int) -> int:
    """How many files and sockets it has open, without those to Redis, which are kept for the next who needs one."""
    process = psutil.Process(pid)
    return process.num_fds() - len(process.net_connections("unix"))


def _status_bytes(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
