"""The CPU time of a stack is that of all its processes, of those that have ended, too; and none outlives it."""

import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.processes import NotStarted, cpu_seconds, free_port, listens, memory_bytes, start, wait_until

# Has a child burn CPU time and end, starts another that stays, and tells when both is done.
BURNS_IN_A_CHILD = """
import pathlib, subprocess, sys, time
burn = "import time\\nwhile time.process_time() < 0.3: pass"
subprocess.run([sys.executable, "-c", burn], check=True)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "lasting"])
pathlib.Path("ready").touch()
time.sleep(600)
"""


def test_children_count_while_they_run_and_after(tmp_path: Path) -> None:
    words = [sys.executable, "-c", BURNS_IN_A_CHILD]
    server = start(words, "web", tmp_path, role_of=lambda line: "worker" if "lasting" in line else None)
    try:
        wait_until((tmp_path / "ready").exists, server)
        members = server.members()
        assert sorted(members.values()) == ["web", "worker"]
        spent = cpu_seconds([server])
        assert spent["web"] >= 0.3
        assert spent["worker"] < 0.3
        assert memory_bytes([server])["worker"] > 0
    finally:
        server.stop()
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in members)


def test_a_server_that_ends_at_once_tells_why(tmp_path: Path) -> None:
    server = start([sys.executable, "-c", "raise SystemExit('no room')"], "web", tmp_path)
    with pytest.raises(NotStarted, match="no room"):
        wait_until(lambda: False, server)
    server.stop()


def test_nothing_listens_at_a_free_port() -> None:
    assert not listens(free_port())
