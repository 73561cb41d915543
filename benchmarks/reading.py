"""Reads figures out of the records of a run: by stack, photo and round."""

from collections.abc import Sequence

from benchmarks.figures import spread
from benchmarks.measures.bench import Record

OURS = "quickthumb"
TWO_BY_TWO = "quickthumb-2x2"
# What the targets compare with: the better of these.
PEERS = ("celery", "rq-simple")
BARE = ("pillow", "engine")


def values(records: Sequence[Record], stack: str, photo: str, figure: str) -> list[float]:
    """One figure of one stack, in the order of the rounds."""
    return [one[figure] for one in records if one["stack"] == stack and one["photo"] == photo and figure in one]


def names(records: Sequence[Record], key: str) -> list[str]:
    """All stacks, or all photos, in the order in which they were taken; QuickThumb first, loops of image work last."""
    found = dict.fromkeys(str(one[key]) for one in records)
    order = sorted(enumerate(found), key=lambda place: (place[1] != OURS, place[1] in BARE, place[0]))
    if key == "photo":
        return list(found)
    taken = [name for _, name in order]
    own = [name for name in taken if name in (OURS, "before", TWO_BY_TWO)]
    return own + [name for name in taken if name not in own]


def better(records: Sequence[Record], photo: str, figure: str, *, higher: bool = False) -> str | None:
    """The peer with the better median of a figure; None if no peer was measured."""
    medians = {peer: spread(found).median for peer in PEERS if (found := values(records, peer, photo, figure))}
    if not medians:
        return None
    return max(medians, key=medians.__getitem__) if higher else min(medians, key=medians.__getitem__)
