"""How the chaos suite is run: short by default, long by `CHAOS=long`; `CHAOS_SEED` repeats a run."""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.chaos.plugin import REPORT
from tests.chaos.report import Report


@dataclass(frozen=True)
class Scale:
    """How much a run does: `rounds` of killing, `uploads` in a stream, `refusal_seconds` of a refusing Redis."""

    long: bool
    rounds: int
    uploads: int
    refusal_seconds: float


def _is_long() -> bool:
    return os.environ.get("CHAOS") == "long"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _is_long():
        return
    only_long = [item for item in items if item.get_closest_marker("chaos")]
    items[:] = [item for item in items if item not in only_long]
    config.hook.pytest_deselected(items=only_long)


@pytest.fixture(scope="session")
def scale() -> Scale:
    rounds = os.environ.get("CHAOS_ROUNDS")
    if _is_long():
        return Scale(long=True, rounds=int(rounds or 50), uploads=200, refusal_seconds=30)
    return Scale(long=False, rounds=int(rounds or 6), uploads=40, refusal_seconds=1.5)


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """What all scenarios tell; at the end it is kept beside the folders with their logs."""
    kept = pytestconfig.stash[REPORT]
    yield kept
    kept.save(tmp_path_factory.getbasetemp() / "report.json")


@pytest.fixture
def chance(report: Report, request: pytest.FixtureRequest) -> random.Random:
    """The source of every decision left to chance; the same for the same seed and test, whatever else is run."""
    return random.Random(f"{report.seed} {request.node.name}")
