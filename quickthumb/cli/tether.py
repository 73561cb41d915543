"""Run a command that the kernel kills when the process that started it dies, however that died.

A supervisor that is killed outright cannot stop its children, and `preexec_fn` is not safe beside threads; so this
file is run as a script of its own, by `python -I -S` (which starts in a few milliseconds), and then becomes the
command. It imports nothing of the package. Where the kernel offers no such thing, it just becomes the command.

    python -I -S tether.py <pid of the parent> <command> [<argument> ...]
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_FOUND = 127


def tether(parent: int) -> None:
    """Die when `parent` dies; exit at once if it is dead already."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"the process {parent} that asked for this has gone")


def become(words: list[str]) -> None:
    """Replace this process by the command. Python's own signal settings are not handed on."""
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execvp(words[0], words)  # noqa: S606 - the words are our own, and no shell is wanted
    except OSError as error:
        print(f"{words[0]} cannot be run: {error.strerror}", file=sys.stderr)
        sys.exit(NOT_FOUND)


if __name__ == "__main__":
    tether(int(sys.argv[1]))
    become(sys.argv[2:])
