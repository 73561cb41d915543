"""How many pictures to work on at once."""

import math
import os
from pathlib import Path

# Where a container is told its share of the processors: "max 100000", or "150000 100000" for one and a half.
CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cores(quota: Path = CGROUP_QUOTA) -> int:
    """The cores that this process may use: those of the machine, less what its affinity or its container denies."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, _container_cores(quota) or affinity))


def _container_cores(quota: Path) -> int | None:
    try:
        allowed, _, period = quota.read_text(encoding="ascii").strip().partition(" ")
        return None if allowed == "max" else math.ceil(int(allowed) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None
