"""A worker's heartbeats; and, in a process of its own, the end of a worker that is blocked or whose threads hang."""

import subprocess
import sys
import time
from dataclasses import replace
from typing import cast

import pytest
from redis.asyncio import Redis

from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import KEYS
from quickthumb.queue.workers import Workers
from quickthumb.work.life import background, heartbeat
from quickthumb.work.runner import Runner
from tests.conftest import CHECKOUT
from tests.queue.test_workers import REPORT
from tests.waiting import wait_until

FROZEN = """
import asyncio, re
from quickthumb.work.life import background, watchdog

async def main():
    async with background(watchdog(0.5)):
        await asyncio.sleep(1.5)
        print("alive", flush=True)
        re.fullmatch("(a|aa)+", "a" * 10_000 + "b")

asyncio.run(main())
"""
CLOSED = """
import asyncio, time
from quickthumb.work.life import background, watchdog

async def main():
    async with background(watchdog(0.2)):
        await asyncio.sleep(0)

asyncio.run(main())
time.sleep(0.5)
"""
ALL_LOST = """
import asyncio, signal, sys, threading
from quickthumb.work.life import begin_shutdown, complete_shutdown
from quickthumb.sandbox.threads import DaemonThreads, ThreadAbandoned

async def main():
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    threads = DaemonThreads(2, begin_shutdown)
    calls = [threads.run(threading.Event().wait, seconds=0.1) for _ in range(int(sys.argv[1]))]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(end, ThreadAbandoned) for end in ended)
    if threads.all_abandoned:
        await asyncio.wait_for(stopping.wait(), 5)
    threads.close()
    complete_shutdown(threads)
    print("went on")

asyncio.run(main())
"""


class Leases:
    """In place of a runner: counts how often leases are renewed, and can be made to fail."""

    def __init__(self) -> None:
        self.renewed = 0
        self.trouble = False

    async def renew_leases(self) -> None:
        self.renewed += 1
        if self.trouble:
            raise QueueUnavailable("away")


async def test_it_beats_while_the_block_lasts_and_signs_off(store: JobStore, redis: Redis) -> None:
    leases = Leases()
    async with background(heartbeat(store, cast("Runner", leases), "worker", interval_seconds=0.01)):
        await wait_until(lambda: leases.renewed >= 3)
        assert await store.live_workers() == 1
    beats = leases.renewed
    assert await store.live_workers() == 0
    assert not await redis.exists(KEYS.workers)
    assert leases.renewed == beats


async def test_it_shows_that_the_worker_is_paused_and_leaves_nothing(store: JobStore, redis: Redis) -> None:
    leases, said = Leases(), replace(REPORT, paused_for="The disk is full.")
    async with background(heartbeat(store, cast("Runner", leases), "worker", 0.01, lambda: said)):
        await wait_until(lambda: leases.renewed >= 2)
        (found,) = await Workers(redis).live()
        assert (found.is_paused, found.report) == (True, said)
        assert await store.live_workers() == 0
    assert not await redis.keys("*worker*")


async def test_trouble_is_told_and_does_not_stop_it(store: JobStore, caplog: pytest.LogCaptureFixture) -> None:
    leases = Leases()
    leases.trouble = True
    async with background(heartbeat(store, cast("Runner", leases), "worker", interval_seconds=0.01)):
        await wait_until(lambda: leases.renewed >= 3)
    assert "heartbeat: away" in caplog.text


async def test_leases_are_renewed_though_redis_refuses_the_sign_of_life(store: JobStore, redis: Redis) -> None:
    await redis.set(KEYS.workers, "no sorted set")
    leases = Leases()
    async with background(heartbeat(store, cast("Runner", leases), "worker", interval_seconds=0.01)):
        await wait_until(lambda: leases.renewed >= 3)


async def test_a_worker_is_alive_though_leases_cannot_be_renewed(store: JobStore) -> None:
    leases = Leases()
    leases.trouble = True
    async with background(heartbeat(store, cast("Runner", leases), "worker", interval_seconds=0.01)):
        await wait_until(lambda: leases.renewed >= 3)
        assert await store.live_workers() == 1


async def test_signing_off_without_redis_is_no_trouble(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_: str) -> None:
        raise QueueUnavailable("away")

    async with background(heartbeat(store, cast("Runner", Leases()), "worker", interval_seconds=0.01)):
        monkeypatch.setattr(store, "sign_off", away)


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
