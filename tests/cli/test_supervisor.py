"""The supervisor with small real processes."""

import asyncio
import contextlib
import io
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import psutil
import pytest

from quickthumb.cli.child import Child
from quickthumb.cli.log import Log
from quickthumb.cli.supervisor import NotStarted, Supervisor
from tests.processes import is_alive
from tests.waiting import wait_until

# Ends at SIGTERM, saying so; leaves a mark when it has started.
POLITE = """
import pathlib, signal, sys, time
def end(*_):
    print("ending", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1]).write_text(str(__import__("os").getpid()))
while True:
    signal.pause()
"""

STUBBORN = POLITE.replace("sys.exit(0)", "pass")

# Starts a grandchild in its own group, which holds the output open, and ends.
NEGLIGENT = """
import pathlib, subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(sys.argv[1]).write_text(str(grandchild.pid))
"""


def child(script: str, mark: Path, *, grace_seconds: float = 10, ready: bool = True) -> Child:
    async def is_ready() -> bool:
        return mark.exists()

    words = [sys.executable, "-c", script, str(mark)]
    return Child(mark.name, words, os.environ, grace_seconds, is_ready if ready else None)


@pytest.fixture(autouse=True, scope="module")
def _others_than_ours() -> None:
    """Notes the processes that run on purpose, such as the service that other tests share."""
    OTHERS.update(psutil.Process().children(recursive=True))


OTHERS: set[psutil.Process] = set()


def started_here() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True)) - OTHERS


class Running:
    """A supervisor under test, and what it says."""

    def __init__(self, groups: Sequence[Sequence[Child]]) -> None:
        self.stream = io.StringIO()
        self.announced = asyncio.Event()
        log = Log(self.stream, [child.name for group in groups for child in group], colored=False)
        self.supervisor = Supervisor(groups, log, self.announced.set)

    @property
    def log(self) -> list[str]:
        return [line[9:].replace("  ", " ") for line in self.stream.getvalue().splitlines()]

    def position(self, name: str, text: str) -> int:
        return next(i for i, line in enumerate(self.log) if line.startswith(name) and text in line)


@contextlib.asynccontextmanager
async def supervised(*groups: Sequence[Child]) -> AsyncIterator[Running]:
    """Started and ready inside, stopped and free of processes after."""
    running = Running(groups)
    task = asyncio.create_task(running.supervisor.run())
    try:
        await wait_until(lambda: running.announced.is_set() or task.done())
        if task.done():
            await task
        yield running
    finally:
        running.supervisor.stop()
        with contextlib.suppress(NotStarted):
            await task
    assert started_here() == set()


async def test_groups_start_in_order_and_stop_in_the_reverse(tmp_path: Path) -> None:
    redis, worker, web = (child(POLITE, tmp_path / name) for name in ("redis", "worker", "web"))
    async with supervised([redis], [worker], [web]) as running:
        started = [(tmp_path / name).stat().st_mtime_ns for name in ("redis", "worker", "web")]
        assert started == sorted(started)
    ends = [running.position(name, "ending") for name in ("web", "worker", "redis")]
    assert ends == sorted(ends)


async def test_one_that_dies_is_started_again(tmp_path: Path) -> None:
    mark = tmp_path / "worker"
    async with supervised([child(POLITE, mark)]) as running:
        first = int(mark.read_text())
        psutil.Process(first).kill()
        await wait_until(lambda: mark.read_text() not in ("", str(first)))
        assert running.position("quickthumb", "worker was killed by SIGKILL; restarting in 0.5 s") >= 0


async def test_the_pause_grows_while_it_keeps_dying(tmp_path: Path) -> None:
    dying = child("raise SystemExit(3)", tmp_path / "worker", ready=False)
    async with supervised([dying]) as running:
        await wait_until(lambda: "in 2 s" in running.stream.getvalue())
    pauses = [line.split(" in ")[1] for line in running.log if "restarting" in line]
    assert pauses == ["0.5 s", "1 s", "2 s"]


async def test_one_that_overstays_its_grace_is_killed(tmp_path: Path) -> None:
    async with supervised([child(STUBBORN, tmp_path / "worker", grace_seconds=0.2)]) as running:
        pass
    assert running.position("worker", "ending") < running.position("quickthumb", "worker did not stop in time")


async def test_a_second_request_to_stop_hurries(tmp_path: Path) -> None:
    began = time.monotonic()
    async with supervised([child(STUBBORN, tmp_path / "worker", grace_seconds=60)]) as running:
        running.supervisor.stop()
        await wait_until(lambda: "ending" in running.stream.getvalue())
    assert time.monotonic() - began < 30


async def test_what_a_child_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "worker"
    async with supervised([child(NEGLIGENT, mark, ready=False)]) as running:
        await wait_until(lambda: "exited with code 0" in running.stream.getvalue())
        grandchild = int(mark.read_text())
        await wait_until(lambda: not psutil.pid_exists(grandchild) or not is_alive(psutil.Process(grandchild)))


async def test_one_that_ends_before_it_was_ready_ends_all(tmp_path: Path) -> None:
    failing = child("print('no such app'); raise SystemExit(3)", tmp_path / "web")
    running = Running([[child(POLITE, tmp_path / "redis")], [failing]])
    with pytest.raises(NotStarted, match="web exited with code 3 before it was ready"):
        await running.supervisor.run()
    assert running.position("web", "no such app") < running.position("redis", "ending")
    assert not running.announced.is_set()
    assert started_here() == set()


async def test_a_stop_during_the_start_leaves_nothing(tmp_path: Path) -> None:
    slow = child("import time; time.sleep(60)", tmp_path / "redis")
    running = Running([[slow], [child(POLITE, tmp_path / "web")]])
    task = asyncio.create_task(running.supervisor.run())
    await wait_until(lambda: bool(psutil.Process().children()))
    running.supervisor.stop()
    await task
    assert not (tmp_path / "web").exists()
    assert started_here() == set()


async def test_long_and_broken_lines_are_relayed(tmp_path: Path) -> None:
    script = "import sys; sys.stdout.buffer.write(b'x' * 200_000 + b'\\n\\xff\\r\\nlast')"
    async with supervised([child(script, tmp_path / "web", ready=False)]) as running:
        await wait_until(lambda: "last" in running.stream.getvalue())
    lines = [line.partition("| ")[2] for line in running.log if line.startswith("web")]
    assert "".join(lines).startswith("x" * 200_000 + "\N{REPLACEMENT CHARACTER}last")
