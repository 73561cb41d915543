"""The figures, each in a module of its own. `MEASURES` is the order in which they are taken."""

from benchmarks.measures import depth, idle, memory, saturated, sizes, watching, work, workers
from benchmarks.measures.bench import Bench, Measure, Record

MEASURES: tuple[Measure, ...] = (
    saturated.MEASURE,
    saturated.FIVE,
    idle.MEASURE,
    work.MEASURE,
    memory.MEASURE,
    depth.MEASURE,
    workers.MEASURE,
    watching.MEASURE,
    sizes.MEASURE,
)

__all__ = ["MEASURES", "Bench", "Measure", "Record"]
