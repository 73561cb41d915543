"""The counters in the hash `quickthumb:totals`, which the scripts `claim` and `settle` keep: what its fields mean.

    attempts:DONE       attempts that ended with this status
    failed:gave_up      items that FAILED with this error
    busy_ms             the time that workers spent on attempts
    wait_ms             the time that items waited for their first attempt; wait_ms:100, how many waited 50 to 100 ms
    attempt_ms          the time that attempts took; attempt_ms:more, how many took longer than the largest bound

The fields about emails begin with `email:`. The hash `quickthumb:totals:of:{tenant}` has only these fields:

    attempts:DONE       as above
    accepted            images that were accepted
    accepted_bytes      their size
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

# The upper bounds of the buckets of all histograms, in milliseconds.
BOUNDS_MS = (10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 3_600_000)


@dataclass(frozen=True, slots=True)
class Durations:
    """A histogram of durations: for each upper bound in seconds the number of durations up to it, the number of all
    durations, and their sum in seconds."""

    buckets: tuple[tuple[float, int], ...]
    count: int
    total_seconds: float


def durations(totals: Mapping[str, int], name: str) -> Durations:
    """The histogram `name` in the totals."""
    counts = list(accumulate(totals.get(f"{name}_ms:{bucket}", 0) for bucket in (*BOUNDS_MS, "more")))
    buckets = tuple((bound / 1000, count) for bound, count in zip(BOUNDS_MS, counts, strict=False))
    return Durations(buckets, counts[-1], totals.get(f"{name}_ms", 0) / 1000)
