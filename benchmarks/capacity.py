"""What a million jobs a day need, worked out from the figures of a run."""

from collections.abc import Sequence

from benchmarks.figures import spread, written
from benchmarks.measures.bench import Record
from benchmarks.reading import OURS, values
from benchmarks.results import Results

JOBS_A_DAY = 1_000_000
DAY_SECONDS = 86_400
# A day has quiet hours: at its busiest, this many times the average must be served.
PEAK = 4
RETENTION_DAYS = 7


def capacity(run: Results) -> str:
    """Sentences on cores, Redis and the disk; empty if the run lacks the figures."""
    saturated: Sequence[Record] = run.records.get("saturated", ())
    rate = JOBS_A_DAY / DAY_SECONDS
    lines = []
    for photo, size in run.options.get("photos", {}).items():
        spent = values(saturated, OURS, photo, "cpu_ms_total")
        if spent:
            cores = spread(spent).median / 1e3 * rate
            lines.append(
                f"- `{photo}`: {written(cores)} cores on average, {written(cores * PEAK)} at {PEAK} times the average; "
                f"{written(size * JOBS_A_DAY / 1e9)} GB of sources a day."
            )
    finished = [one["redis_bytes_per_finished_job"] for one in run.records.get("depth", ()) if "depth" in one]
    known = [value for value in finished if value]
    if known:
        held = known[-1] * JOBS_A_DAY * RETENTION_DAYS / 1e9
        lines.append(
            f"- Redis holds a finished job in {known[-1]:,} bytes for {RETENTION_DAYS} days by default: "
            f"{written(held)} GB. A shorter RETENTION_SECONDS needs less in proportion."
        )
    if not lines:
        return ""
    return f"{JOBS_A_DAY:,} jobs a day are {written(rate)} a second on average.\n\n" + "\n".join(lines)
