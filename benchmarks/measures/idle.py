"""The time from the first byte of an upload to DONE, while nothing else happens."""

from collections.abc import Iterator
from typing import Any

from benchmarks.figures import percentile
from benchmarks.measures.bench import Bench, Measure, Record, in_turn, load_of, settle

IMAGES = 20
WARM_UP = 10
PAUSE_SECONDS = 0.05
POLL_SECONDS = 0.001
LONGEST_SECONDS = 3.0


def take(bench: Bench) -> Iterator[Record]:
    """One uploader, with a pause after each image; it polls every millisecond, to see the end soon."""
    options: dict[str, Any] = {
        "uploaders": 1,
        "first_poll_seconds": POLL_SECONDS,
        "poll_growth": 1.0,
        "pause_seconds": PAUSE_SECONDS,
        "longest_seconds": LONGEST_SECONDS,
    }
    for name in bench.chosen:
        for stack in bench.stacks:
            bench.generator.run(load_of(stack, bench.photos[name], WARM_UP, (128,), **options))
        for turn in range(bench.rounds):
            for stack in in_turn(bench.stacks, turn):
                bench.tell(f"{stack.stack.name}, {name}")
                load = load_of(stack, bench.photos[name], max(10, round(IMAGES * bench.scale)), (128,), **options)
                measured = bench.generator.run(load)
                settle(stack)
                yield {
                    "stack": stack.stack.name,
                    "photo": name,
                    "round": turn,
                    "upload_p50_ms": round(percentile(measured.upload_seconds, 50) * 1e3, 2),
                    "done_p50_ms": round(percentile(measured.done_seconds, 50) * 1e3, 2),
                    "done_p90_ms": round(percentile(measured.done_seconds, 90) * 1e3, 2),
                }


MEASURE = Measure("idle", "Time from upload to DONE on an idle machine", take, compares=True)
