"""The chaos suite's part in a run of pytest: one seed and one report for all processes that pytest-xdist starts.

A plugin, not a conftest, since the process that tells of the run collects no tests.
"""

import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.report import Report

REPORT = pytest.StashKey[Report]()
LARGEST_SEED = 2**32


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "chaos: belongs to the long run only (make chaos)")
    # The processes of pytest-xdist inherit it.
    seed = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(LARGEST_SEED))
    os.environ["CHAOS_SEED"] = seed
    config.stash[REPORT] = Report(int(seed))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a process of pytest-xdist: hands over what its scenarios told."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["chaos"] = session.config.stash[REPORT].as_dict()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the process that started the others: adds up what they tell."""
    told = getattr(node, "workeroutput", {}).get("chaos")
    if not told:
        return
    report, part = node.config.stash[REPORT], Report.from_dict(told)
    report.add(part)
    if part.saved_as:
        # Each process has a folder of its own below the folder of the run.
        report.save(Path(part.saved_as).parents[1] / "report.json")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    report = config.stash[REPORT]
    if not (report.faults or report.accepted):
        return
    terminalreporter.section("chaos")
    for line in report.lines():
        terminalreporter.write_line(line)
