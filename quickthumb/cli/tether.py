"""Runs a command that the kernel kills as soon as its parent process dies, however it dies.

A supervisor that gets SIGKILL cannot stop its children, and `preexec_fn` is not safe beside threads. So this file runs
as a script, with `python -I -S` (which starts in a few milliseconds), sets the parent death signal and becomes the
command. It imports nothing from the package. On systems other than Linux it only becomes the command.

    python -I -S tether.py <pid of the parent> <command> [<argument> ...]
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_FOUND = 127


def tether(parent: int, number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process the signal when `parent` dies; exit at once if it is dead already."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"the parent process {parent} is gone")


def become(words: list[str]) -> None:
    """Replace this process with the command, which does not inherit Python's signal settings."""
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execvp(words[0], words)  # noqa: S606 - our own words, and no shell
    except OSError as error:
        print(f"cannot run {words[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(NOT_FOUND)


if __name__ == "__main__":
    tether(int(sys.argv[1]))
    become(sys.argv[2:])
