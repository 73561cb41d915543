"""The figures, each in a module of its own. `MEASURES` is the order in which they are taken."""

from benchmarks.measures import idle, saturated
from benchmarks.measures.bench import Bench, Measure, Record

MEASURES: tuple[Measure, ...] = (saturated.MEASURE, saturated.FIVE, idle.MEASURE)

__all__ = ["MEASURES", "Bench", "Measure", "Record"]
