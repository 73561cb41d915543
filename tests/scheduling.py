"""Which tests `make test` runs in the same process, and which of them it starts first.

Tests that mostly wait for processes of their own, or that take seconds each, go out one by one. All other tests stay
together by file, or with those that share a service with them. The files in `tests/web` share one too, but together
they would take a process longer than all the others; so each process starts that service.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# By the beginning of a test's id; the first entry that matches counts.
GROUPS = {
    "tests/web/test_memory.py": None,  # one by one
    "tests/site/test_home": "home",
    "tests/site/test_dashboard": "dashboard",
    "tests/test_processes.py": "processes",
    "tests/docs/test_examples.py": "examples",
    "tests/chaos/": None,
    "tests/client/": "client",
    "tests/cli/test_push.py": "client",
    "tests/cli/": None,
    "tests/compat/": "compat",
    "tests/clients/test_described.py": "described",
    "tests/clients/": "clients",
    "tests/test_dedupe.py": None,
    "tests/test_large_jobs.py": None,
    "tests/test_logs.py": None,
    "tests/test_privacy.py": None,
    "tests/test_redis_trouble.py": None,
    "tests/test_storage_identity.py": None,
    "tests/test_turns.py": None,
    "tests/storage/test_power_loss.py": None,
}
# What takes longest starts first, or one process would still be busy with it when the others have ended.
FIRST = (
    *("described", "processes", "tests/web/test_docs.py", "home", "dashboard", "examples", "tests/web/", "clients"),
    *(
        "compat",
        "tests/test_documents.py",
        "tests/chaos/",
        "tests/cli/",
        "tests/test_turns.py",
        "tests/test_large_jobs.py",
    ),
    *("tests/imaging/test_memory.py", "tests/access/", "tests/webhooks/", "client"),
)


def group_of(test: str) -> str:
    """The name of the group of a test, which one process runs as a whole; by the test's id."""
    for start, group in GROUPS.items():
        if test.startswith(start):
            return group or test
    return test.partition("::")[0]


def place_of(test: str) -> int:
    """Tests with lower places start earlier."""
    group = group_of(test)
    return next((place for place, start in enumerate(FIRST) if group.startswith(start)), len(FIRST))


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out the groups in the order of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place_of(item.nodeid))
