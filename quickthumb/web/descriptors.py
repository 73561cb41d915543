"""How many connections a process can serve without running out of file descriptors."""

import logging
import sys

log = logging.getLogger("quickthumb.web")

# An upload has its connection, its file and the lock on it.
FILES_PER_CONNECTION = 3
# For Redis, the log, the listening socket, and connections that are being refused.
SPARE_FILES = 192


def room_for_connections(wanted: int) -> int:
    """How many connections may be open at the same time, at most `wanted`.

    Raises this process's own limit on open files if the system allows that, and warns if it still is too low.
    """
    files = _most_files(wanted * FILES_PER_CONNECTION + SPARE_FILES)
    room = max(1, min(wanted, (files - SPARE_FILES) // FILES_PER_CONNECTION))
    if room < wanted:
        log.warning(
            "This process may open only %d files, so it serves at most %d connections, not MAX_CONNECTIONS (%d); raise "
            "the limit on open files (ulimit -n)",
            files,
            room,
            wanted,
        )
    return room


def _most_files(wanted: int) -> int:
    """The limit on open files of this process, raised to `wanted` if that is possible."""
    if sys.platform == "win32":
        return wanted  # sockets are no files there
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    except (OSError, ValueError):  # macOS allows less than it says
        return soft
    return possible
