"""The table of two checkouts of QuickThumb, measured in the same rounds."""

from collections.abc import Mapping, Sequence

from benchmarks.figures import ratio, spread, written
from benchmarks.measures.bench import Record
from benchmarks.reading import OURS, names, values

BEFORE = "before"
FIGURES = (
    ("saturated", "images_per_second", "images/s"),
    ("saturated", "cpu_ms_total", "server CPU per image, ms"),
    ("saturated", "upload_p50_ms", "upload p50, ms"),
    ("saturated", "upload_p99_ms", "upload p99, ms"),
    ("five", "images_per_second", "images/s, five outputs"),
    ("five", "cpu_ms_total", "server CPU per image, five outputs, ms"),
    ("idle", "done_p50_ms", "idle: upload → DONE, ms"),
)


def before_and_after(records: Mapping[str, Sequence[Record]]) -> list[tuple[str, str, str, str, str]]:
    """Rows of photo, figure, its medians before and now, and the ratio within each round; none without another
    checkout."""
    rows = []
    photos = dict.fromkeys(photo for measure, *_ in FIGURES for photo in names(records.get(measure, ()), "photo"))
    for photo in photos:
        for measure, figure, title in FIGURES:
            taken = records.get(measure, ())
            old, new = values(taken, BEFORE, photo, figure), values(taken, OURS, photo, figure)
            if old and new:
                medians = written(spread(old).median), written(spread(new).median)
                rows.append((photo, title, *medians, str(ratio(new, old))))
    return rows
