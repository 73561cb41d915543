"""How much memory this process and its sandbox processes take now."""

import mmap
from collections.abc import Iterable
from pathlib import Path

OWN = "self"


def resident_bytes(children: Iterable[int] = ()) -> int | None:
    """The resident memory of this process and of these children together; one that has ended takes none.

    None where the system does not tell: only Linux does. Two reads of a few microseconds, no system call that waits.
    """
    own_pages = _resident_pages(OWN)
    if own_pages is None:
        return None
    return mmap.PAGESIZE * (own_pages + sum(_resident_pages(pid) or 0 for pid in children))


def _resident_pages(process: int | str) -> int | None:
    try:
        _, pages, *_ = Path(f"/proc/{process}/statm").read_bytes().split()
        return int(pages)
    except (OSError, ValueError):
        return None
