"""Orders of every kind with hostile pictures, for as long as STRANGE_SECONDS says, and small jobs beside them.

No answer may be a 5xx, no worker may die, memory stays bounded, and the small jobs do not wait for the large ones. The
settings are the default ones.
"""

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from quickthumb.config import Config
from tests.chaos.fleet import Fleet
from tests.chaos.gauges import MEBIBYTE, forget_highest, highest_bytes, memory_bytes, needs_linux
from tests.chaos.orders import any_order, any_picture
from tests.chaos.report import Report
from tests.chaos.verdict import moment
from tests.conftest import picture

SECONDS = 120.0
STRANGERS = 4
# Beside pictures: what Python, the codecs and the allocators keep.
MOST_BESIDE_BYTES = 200 * MEBIBYTE
SMALL_JOB_PAUSE_SECONDS = 0.25
# A first attempt and a second one, and the time in a queue of large jobs before each.
LONGEST_JOB_SECONDS = 600.0
ENDS = ("DONE", "FAILED")

pytestmark = [needs_linux, pytest.mark.timeout(7200)]


@dataclass
class Strangers:
    """Clients that send orders until the time is up, and what became of each order."""

    fleet: Fleet
    chance: random.Random
    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    longest: tuple[float, str] = (0.0, "none")

    async def send_until(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            # In a thread: some pictures take seconds, and then the heads of other requests would arrive too late.
            chance = random.Random(self.chance.getrandbits(64))
            name, data = await asyncio.to_thread(any_picture, chance)
            order = any_order(chance)
            end = await self._end(name, data, order)
            self.ends[end] += 1
            if not end.startswith(("4", *ENDS)) or end.endswith(("internal", "internal_error")):
                self.faults.append(f"{name} with {order['outputs']}: {end}")

    async def _end(self, name: str, data: bytes, order: dict[str, str]) -> str:
        headers = {"Content-Type": "application/octet-stream"}
        try:
            answer = await self.fleet.client.post("/images/", content=data, params=order, headers=headers)
        except httpx.TransportError as error:
            # A service that refuses a long upload early may close the connection before it has read the whole of it.
            return f"4xx, and closed while the client was still sending ({type(error).__name__})"
        if answer.status_code != httpx.codes.ACCEPTED:
            return f"{answer.status_code} {answer.json().get('code')}"
        job = await ended(self.fleet, answer.json()["id"], LONGEST_JOB_SECONDS)
        took = moment(job["finished_at"]) - moment(job["started_at"] or job["created_at"])
        self.longest = max(self.longest, (took, f"{name} with {order['outputs']}"))
        return "DONE" if job["status"] == "DONE" else f"{job['status']} {job['error']['code']}"


@dataclass
class SmallJobs:
    """A client that sends one small picture after another. `waits` has the seconds from each 202 to the job's end."""

    fleet: Fleet
    waits: list[float] = field(default_factory=list)

    async def send_until(self, is_over: Callable[[], bool]) -> None:
        number = 0
        while not is_over():
            number += 1
            image = picture(200 + number % 400, 150)
            answer = await self.fleet.client.post("/images/", content=image, headers={"Content-Type": "image/jpeg"})
            assert answer.status_code == httpx.codes.ACCEPTED, answer.text
            job = await ended(self.fleet, answer.json()["id"], LONGEST_JOB_SECONDS)
            assert job["status"] == "DONE", job
            self.waits.append(moment(job["finished_at"]) - moment(job["created_at"]))
            await asyncio.sleep(SMALL_JOB_PAUSE_SECONDS)

    def percentile(self, share: float) -> float:
        return sorted(self.waits)[min(len(self.waits) - 1, int(share * len(self.waits)))]


async def ended(fleet: Fleet, job_id: str, seconds: float) -> dict[str, Any]:
    """The job, once it has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert fleet.workers[0].alive, f"the worker died: {fleet.workers[0].said[-2000:]}"
        job = await fleet.job(job_id, wait=10)
        if job["status"] in ENDS:
            return job
    raise AssertionError(f"a job did not end within {seconds:g} s: {json.dumps(job)}")


@asynccontextmanager
async def watched(fleet: Fleet) -> AsyncIterator[None]:
    """A block that web and worker must outlive, within their memory."""
    processes = (fleet.workers[0], fleet.web)
    pids = [process.pid for process in processes]
    idle = [memory_bytes(pid) for pid in pids]
    for pid in pids:
        forget_highest(pid)
    yield
    assert [process.pid for process in processes] == pids, "a process died and was started again"
    for process in processes:
        assert process.alive, process.said[-2000:]
    highest = [highest_bytes(pid) for pid in pids]
    for name, before, most in zip(("worker", "web"), idle, highest, strict=True):
        print(f"{name}: {before / MEBIBYTE:.0f} MiB, at most {most / MEBIBYTE:.0f}")  # noqa: T201 - shown with -rP
    assert highest[0] < idle[0] + Config().sandbox.decode_budget_bytes + MOST_BESIDE_BYTES
    assert highest[1] < idle[1] + MOST_BESIDE_BYTES


@pytest.mark.chaos
async def test_nobody_takes_more_than_a_share(tmp_path: Path, chance: random.Random, report: Report) -> None:
    seconds = float(os.environ.get("STRANGE_SECONDS", SECONDS))
    print(f"seed {report.seed}, {seconds:g} s")  # noqa: T201
    async with Fleet(tmp_path, workers=1) as fleet:
        strangers, small = Strangers(fleet, chance), SmallJobs(fleet)
        await small.send_until(lambda: len(small.waits) >= 4)
        small.waits.clear()
        end = time.monotonic() + seconds
        async with watched(fleet), asyncio.TaskGroup() as group:
            group.create_task(small.send_until(lambda: time.monotonic() > end))
            for _ in range(STRANGERS):
                group.create_task(strangers.send_until(lambda: time.monotonic() > end))
    told = ", ".join(f"{count} × {what}" for what, count in sorted(strangers.ends.items()))
    print(f"{strangers.ends.total()} orders: {told}")  # noqa: T201
    print(f"the slowest attempts: {strangers.longest[0]:.1f} s for {strangers.longest[1]}")  # noqa: T201
    print(  # noqa: T201
        f"{len(small.waits)} small jobs: half of them done in {small.percentile(0.5):.3f} s, 99 % in "
        f"{small.percentile(0.99):.3f} s, all in {max(small.waits):.3f} s"
    )
    report.took("strange orders: the p99 of a small job beside them", small.percentile(0.99))
    assert not strangers.faults, "\n".join(strangers.faults)
