"""The end of a worker that stands still, or whose threads hang; each in a process that may end."""

import subprocess
import sys
import time

from tests.conftest import CHECKOUT

FROZEN = """
import asyncio, re
from quickthumb.work.watchdog import watchdog

async def main():
    async with watchdog(0.5):
        await asyncio.sleep(1.5)
        print("alive", flush=True)
        re.fullmatch("(a|aa)+", "a" * 10_000 + "b")

asyncio.run(main())
"""
CLOSED = """
import asyncio, time
from quickthumb.work.watchdog import watchdog

async def main():
    async with watchdog(0.2):
        await asyncio.sleep(0)

asyncio.run(main())
time.sleep(0.5)
"""
ALL_LOST = """
import asyncio, signal, sys, threading
from quickthumb.work import shutdown
from quickthumb.sandbox.threads import DaemonThreads, ThreadAbandoned

async def main():
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    threads = DaemonThreads(2, shutdown.begin)
    calls = [threads.run(threading.Event().wait, seconds=0.1) for _ in range(int(sys.argv[1]))]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(end, ThreadAbandoned) for end in ended)
    if threads.all_abandoned:
        await asyncio.wait_for(stopping.wait(), 5)
    threads.close()
    shutdown.complete(threads)
    print("went on")

asyncio.run(main())
"""


def ended(script: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", script, *words]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=30)


def test_a_frozen_process_ends_and_shows_where_it_stood() -> None:
    began = time.monotonic()
    process = ended(FROZEN)
    assert process.returncode == 1
    assert process.stdout == "alive\n"
    assert "fullmatch" in process.stderr
    assert time.monotonic() - began < 15


def test_nothing_happens_once_the_block_is_left() -> None:
    process = ended(CLOSED)
    assert (process.returncode, process.stderr) == (0, "")


def test_a_worker_that_lost_all_its_threads_is_told_to_stop_and_ends_with_an_error() -> None:
    process = ended(ALL_LOST, "2")
    assert (process.returncode, process.stdout) == (1, ""), process.stderr


def test_a_worker_that_lost_some_ends_without_waiting_for_them() -> None:
    process = ended(ALL_LOST, "1")
    assert (process.returncode, process.stdout) == (0, ""), process.stderr


def test_a_worker_that_lost_none_just_goes_on() -> None:
    process = ended(ALL_LOST, "0")
    assert (process.returncode, process.stdout) == (0, "went on\n"), process.stderr
