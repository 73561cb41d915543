"""Percentiles, medians and ratios with their spread."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several rounds, the lowest and the highest."""

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{written(self.median)} ({written(self.lowest)}–{written(self.highest)})"


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """The spread of the ratios within each round. Rounds that only one side has do not count."""
    return spread([one / other for one, other in zip(ours, theirs, strict=False)])


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """The spread of the differences within each round."""
    return spread([one - other for one, other in zip(ours, theirs, strict=False)])


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least this many percent of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def written(number: float) -> str:
    """A number with about three digits."""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"
