"""Looking at processes from outside."""

import psutil


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that has ended but that nobody has reaped yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
