"""What the suite did to the service and what came of it: printed at the end, and kept as JSON."""

import json
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

COUNTERS = ("faults", "refused", "by_way", "deliveries", "batches", "twins", "misbehaved")


@dataclass(frozen=True)
class Fault:
    """Something done to the service, and when, in seconds since the epoch."""

    kind: str
    at: float


@dataclass
class Report:
    """Sums over all scenarios. Times are in seconds, by what was measured."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    done: int = 0
    failed: int = 0
    lost: int = 0
    wrong: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    by_way: Counter[str] = field(default_factory=Counter)
    deliveries: Counter[str] = field(default_factory=Counter)
    batches: Counter[str] = field(default_factory=Counter)
    twins: Counter[str] = field(default_factory=Counter)
    misbehaved: Counter[str] = field(default_factory=Counter)
    leftovers: list[str] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    saved_as: str = ""

    def fault(self, kind: str) -> Fault:
        """Notes that a fault happens now."""
        self.faults[kind] += 1
        return Fault(kind, time.time())

    def took(self, what: str, seconds: float) -> float:
        """Notes how long something took; the longest time stays."""
        self.measured[what] = max(round(seconds, 2), self.measured.get(what, 0.0))
        return seconds

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {**asdict(self), **{name: dict(getattr(self, name)) for name in COUNTERS}}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Self:
        return cls(**{**told, **{name: Counter(told[name]) for name in COUNTERS}})

    def add(self, other: "Report") -> None:
        """Takes in what the scenarios of another process told."""
        for name in COUNTERS:
            getattr(self, name).update(getattr(other, name))
        for name in ("accepted", "done", "failed", "lost", "wrong", "leftovers"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for what, seconds in other.measured.items():
            self.took(what, seconds)

    @property
    def longest_recovery(self) -> tuple[str, float]:
        """The longest of the measured times, and what it was."""
        return max(self.measured.items(), key=lambda item: item[1], default=("nothing measured", 0.0))

    def lines(self) -> list[str]:
        """The report for people."""
        what, seconds = self.longest_recovery
        listed = [
            ("seed", str(self.seed)),
            ("faults injected", f"{self.faults.total()} ({_counted(self.faults)})"),
            ("others' failures", f"{self.misbehaved.total()} ({_counted(self.misbehaved)})"),
            ("jobs accepted", f"{self.accepted} ({_counted(self.by_way)})"),
            ("jobs DONE", str(self.done)),
            ("jobs FAILED", str(self.failed)),
            ("jobs lost", str(self.lost)),
            ("wrong results", str(self.wrong)),
            ("deliveries", _counted(self.deliveries)),
            ("batches", _counted(self.batches)),
            ("dedupe", _counted(self.twins)),
            ("uploads refused", f"{self.refused.total()} ({_counted(self.refused)})"),
            ("leftovers", str(len(self.leftovers))),
            ("longest recovery", f"{seconds:.2f} s ({what})"),
        ]
        times = [f"  {seconds:7.2f} s  {what}" for what, seconds in sorted(self.measured.items())]
        if self.saved_as:
            listed.append(("report and logs", self.saved_as))
        return [*(f"{name:<17} {value}" for name, value in listed), *self.leftovers, "measured:", *times]

    def save(self, path: Path) -> None:
        """The report for programs."""
        self.saved_as = str(path)
        what, seconds = self.longest_recovery
        longest = {"what": what, "seconds": seconds}
        path.write_text(json.dumps({**self.as_dict(), "longest_recovery": longest}, indent=2) + "\n")


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count} × {name}" for name, count in sorted(counter.items())) or "none"
