"""Landlock, by which a Linux process gives up access to files, to the network and to other processes, for good.

The calls are those of the kernel (https://docs.kernel.org/userspace-api/landlock.html): the C library has none, and
their numbers are the same on every machine. They apply to the calling thread and to threads that it starts later.
"""

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_FOR_VERSION = 1
PATH_BENEATH = 1
PR_SET_NO_NEW_PRIVS = 38

WRITE_FILE, READ_FILE, READ_DIR, REMOVE_FILE, MAKE_FILE = 1 << 1, 1 << 2, 1 << 3, 1 << 5, 1 << 8
TRUNCATE = 1 << 14
# How many rights on files each version knows; the first has 13, and the fourth added none.
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
# Since version 4: to bind and to connect TCP sockets. Since version 6: abstract Unix sockets, and signals, to others.
NETWORK_VERSION, NETWORK_RIGHTS = 4, 0b11
SCOPE_VERSION, SCOPES = 6, 0b11


def version() -> int:
    """The version of Landlock that this kernel offers, from 1; 0 if it has none, or has it switched off."""
    if sys.platform != "linux":
        return 0
    return max(0, _call(CREATE_RULESET, None, 0, ASK_FOR_VERSION))


def restrict(readable: Iterable[Path], folder: Path) -> None:
    """Leaves this process the files and folders in `readable` to read, and `folder` to read and write. Everything else
    that Landlock governs is refused with EACCES or EPERM: other files, TCP, signals to processes outside.

    Paths that do not exist are left out. Does nothing if the kernel has no Landlock. Raises OSError.
    """
    found = version()
    if not found:
        return
    rights = (1 << FILE_RIGHTS[min(found, max(FILE_RIGHTS))]) - 1
    ruleset = _ruleset(found, rights)
    try:
        for path in readable:
            _allow(ruleset, path, READ_FILE | READ_DIR)
        _allow(ruleset, folder, rights & (READ_FILE | READ_DIR | WRITE_FILE | MAKE_FILE | REMOVE_FILE | TRUNCATE))
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _checked(_call(RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _ruleset(found: int, rights: int) -> int:
    network = NETWORK_RIGHTS if found >= NETWORK_VERSION else 0
    scopes = SCOPES if found >= SCOPE_VERSION else 0
    # A kernel that knows only the first of these fields accepts the others if they are zero.
    attributes = struct.pack("=QQQ", rights, network, scopes)
    return _checked(_call(CREATE_RULESET, attributes, len(attributes), 0))


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= READ_FILE
        _checked(_call(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0))
    finally:
        os.close(descriptor)


def _call(number: int, *words: int | bytes | None) -> int:
    arguments = [ctypes.c_long(word) if isinstance(word, int) else ctypes.c_char_p(word) for word in words]
    return int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *arguments))


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
