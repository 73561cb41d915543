"""Takes secrets out of the environment, where every process of the same user can read them, and hands them down.

The variables of a process lie in its memory as they were at its start: `/proc/PID/environ` and `ps e` show them even
after the process has unset them. So a root that reads its secrets blanks them there, too. It starts its children
without them, and gives them to those that need them through a pipe.
"""

import contextlib
import ctypes
import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from quickthumb.config.settings import ENVIRONMENT_PREFIX, SETTINGS

# Tells a child the file descriptor of the pipe with its secrets.
PIPE_VARIABLE = "QUICKTHUMB_SECRETS_PIPE"
PR_GET_DUMPABLE, PR_SET_DUMPABLE = 3, 4
# The fields of /proc/self/stat, counted after the program's name, that say where the first variables begin and end.
ENVIRONMENT_START, ENVIRONMENT_END = 47, 48

_taken: dict[str, str] = {}


def own_environment() -> dict[str, str]:
    """The variables of this process, secrets included. Takes the secrets out of the process' environment for good;
    only this function, and `taken`, tell them from then on."""
    keep(_from_pipe())
    found = {name: value for name, value in os.environ.items() if is_secret(name)}
    keep(found)
    for name in found:
        del os.environ[name]
    if found and sys.platform == "linux":
        _blank(found)
    return {**os.environ, **_taken}


def taken() -> dict[str, str]:
    """The secrets that were taken out of the environment, by their variables."""
    return dict(_taken)


def keep(secrets: Mapping[str, str]) -> None:
    """Takes over secrets, by their variables, as if they had been in the environment."""
    _taken.update(secrets)


def is_secret(variable: str) -> bool:
    """Whether the variable holds the value of a secret setting. One that names a file with it is no secret."""
    setting = SETTINGS.get(variable.removeprefix(ENVIRONMENT_PREFIX).lower())
    return variable.startswith(ENVIRONMENT_PREFIX) and setting is not None and setting.is_secret


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child that needs no secrets, or gets them by `handed_down`."""
    return {name: value for name, value in environment.items() if not is_secret(name)}


@contextmanager
def handed_down(secrets: Mapping[str, str]) -> Iterator[tuple[tuple[int, ...], dict[str, str]]]:
    """A pipe with the secrets: yields the descriptors for the child to inherit, and the variables that tell it of them.

    Raises OSError if the secrets are too long for a pipe.
    """
    if not secrets:
        yield (), {}
        return
    readable, writable = os.pipe()
    try:
        try:
            _fill(writable, json.dumps(dict(secrets)).encode())
        finally:
            os.close(writable)
        yield (readable,), {PIPE_VARIABLE: str(readable)}
    finally:
        os.close(readable)


@contextmanager
def unreadable() -> Iterator[None]:
    """Within the block, no other process may read this one's memory, variables or open files, nor debug it, unless root
    runs it; it leaves no core dump either. Only on Linux. Its children begin as they would without this."""
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None).prctl
    before = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_DUMPABLE, before, 0, 0, 0)


def _from_pipe() -> dict[str, str]:
    """The secrets from this process's parent, if it handed any down."""
    descriptor = os.environ.pop(PIPE_VARIABLE, None)
    if descriptor is None:
        return {}
    with contextlib.suppress(OSError, ValueError), os.fdopen(int(descriptor), encoding="utf-8") as pipe:
        return {str(name): str(value) for name, value in json.load(pipe).items()}
    return {}


def _fill(writable: int, data: bytes) -> None:
    os.set_blocking(writable, False)  # nobody reads yet
    if os.write(writable, data) < len(data):
        raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))


def _blank(variables: Iterable[str]) -> None:
    """Overwrites the values of variables where the kernel looks for them: in the first variables of this process."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    address, end = int(fields[ENVIRONMENT_START]), int(fields[ENVIRONMENT_END])
    if not address:  # the kernel does not tell
        return
    wanted = {os.fsencode(variable) for variable in variables}
    for entry in ctypes.string_at(address, end - address).split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name in wanted:
            ctypes.memset(address + len(name) + 1, ord("*"), len(value))
        address += len(entry) + 1
