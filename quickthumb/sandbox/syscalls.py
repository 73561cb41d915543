"""A filter of system calls (seccomp), by which a Linux process gives up what no image needs, for good.

Landlock governs neither sockets of all kinds nor the memory, the limits and the owners of what lies outside. A process
that calls what is listed here is killed with SIGSYS: no decoder does so by accident.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from pathlib import Path

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE = 38, 22, 2

# The kernel's constant for the machine (AUDIT_ARCH_…), and which of the two numbers of a call counts there.
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

# System calls with their numbers on x86-64 and on 64-bit ARM, where some do not exist.
REFUSED: dict[str, tuple[int, int | None]] = {
    # connections
    "socket": (41, 198),
    "socketpair": (53, 199),
    "io_uring_setup": (425, 425),  # does what the others do, past this filter
    # programs and processes
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    # the memory, the files and the signals of other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    # owners and modes of files, which Landlock does not govern
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "open_by_handle_at": (304, 265),
    # the machine
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}
CLONE, CLONE3 = (56, 220), (435, 435)
KILL, TGKILL, PRLIMIT = (62, 129), (234, 131), (302, 261)
CLONE_THREAD = 0x10000
# x86-64 has every call a second time, for programs with short pointers.
X32_CALLS = 0x40000000

# Instructions of the kernel's filters: load a word, return, and jump if equal, if not less, or if a bit is set.
LOAD, RETURN, IF_EQUAL, IF_NOT_LESS, IF_SET = 0x20, 0x06, 0x15, 0x35, 0x45
NUMBER_AT, MACHINE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
ALLOW, END_PROCESS, ERROR = 0x7FFF0000, 0x80000000, 0x00050000

Instruction = tuple[int, int, int, int]


def is_available() -> bool:
    """Whether `refuse` has an effect here."""
    is_known = sys.platform == "linux" and platform.machine() in MACHINES and struct.calcsize("P") == 8
    return is_known and Path("/proc/sys/kernel/seccomp/actions_avail").exists()


def refuse() -> None:
    """From now on, kills this process when it calls what is in REFUSED, starts a process, or signals another one or
    changes its limits. Where it is not available, does nothing. Raises OSError."""
    if not is_available():
        return
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in _program(platform.machine(), os.getpid()))
    program = _Program(len(code) // 8, ctypes.cast(ctypes.create_string_buffer(code, len(code)), ctypes.c_void_p))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if prctl(PR_SET_SECCOMP, FILTER_MODE, ctypes.byref(program), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def _program(machine: str, pid: int) -> list[Instruction]:
    its_constant, column = MACHINES[machine]
    refused = [numbers[column] for numbers in REFUSED.values()]
    return [
        (LOAD, 0, 0, MACHINE_AT),
        (IF_EQUAL, 1, 0, its_constant),
        (RETURN, 0, 0, END_PROCESS),
        (LOAD, 0, 0, NUMBER_AT),
        *([(IF_NOT_LESS, 0, 1, X32_CALLS), (RETURN, 0, 0, END_PROCESS)] if machine == "x86_64" else []),
        *(step for number in refused if number is not None for step in _answered(number, END_PROCESS)),
        # Its flags are out of reach. The C library then uses `clone`, as on an older kernel.
        *_answered(CLONE3[column], ERROR | errno.ENOSYS),
        *_only_if(CLONE[column], (IF_SET, CLONE_THREAD)),
        *_only_if(KILL[column], (IF_EQUAL, pid)),
        *_only_if(TGKILL[column], (IF_EQUAL, pid)),
        *_only_if(PRLIMIT[column], (IF_EQUAL, 0), (IF_EQUAL, pid)),
        (RETURN, 0, 0, ALLOW),
    ]


def _answered(number: int, answer: int) -> list[Instruction]:
    return [(IF_EQUAL, 0, 1, number), (RETURN, 0, 0, answer)]


def _only_if(number: int, *tests: tuple[int, int]) -> list[Instruction]:
    """Allows the call if its first argument passes one of the tests; else ends the process."""
    checks = [(test, len(tests) - place, 0, value) for place, (test, value) in enumerate(tests)]
    steps = [(LOAD, 0, 0, FIRST_ARGUMENT_AT), *checks, (RETURN, 0, 0, END_PROCESS), (RETURN, 0, 0, ALLOW)]
    return [(IF_EQUAL, 0, len(steps), number), *steps]
