"""Damaged and hostile pictures, sent through the whole service: each is refused or ends, and the worker lives on.

A sample that it does not survive is kept beside the logs.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from quickthumb.config import Config
from tests.chaos.bombs import BOMBS, SLOW
from tests.chaos.conftest import Scale
from tests.chaos.costly import COSTLY
from tests.chaos.exchange import Request, exchange
from tests.chaos.fleet import Fleet
from tests.chaos.gauges import MEBIBYTE, forget_highest, highest_bytes, memory_bytes, needs_linux
from tests.chaos.mutants import mutant, samples
from tests.chaos.report import Report
from tests.chaos.verdict import moment
from tests.conftest import CORPUS, picture
from tests.waiting import wait_until

MUTANTS = {True: 500, False: 25}
# Of each kind of costly picture.
COSTLIES = {True: 20, False: 1}
AT_ONCE = 8
BUDGET_BYTES = Config().sandbox.decode_budget_bytes
# Beside pictures: a file's metadata, what Python keeps of it, and what the allocators keep for later.
MOST_BESIDE_BYTES = 256 * MEBIBYTE
# For each of three threads, one of which renders small images only; Pillow keeps 64 MiB for the next picture.
MOST_KEPT_BYTES = 224 * MEBIBYTE
SETTINGS: dict[str, Any] = {
    "worker_threads": 2,
    "decode_budget_bytes": BUDGET_BYTES,
    "job_timeout_seconds": 20,
    "quarantine_seconds": 20,
}
# A first attempt and a second one, and the waiting before each.
TIME_LIMIT_SECONDS = 60.0
OUTPUTS = {
    "outputs": json.dumps([{"name": "small", "width": 20}, {"name": "other", "format": "png", "frames": "first"}])
}
# What may be said of a picture; everything else is said of the service. One that claims to be far longer than wide
# is too long for the format that is made of it, whatever the width.
CODES = {
    "broken_image",
    "unsupported_image",
    "too_many_pixels",
    "too_many_frames",
    "too_many_parts",
    "too_many_bytes",
    "invalid_parameter",
    "order_too_large",
}

pytestmark = [needs_linux, pytest.mark.timeout(1800)]


@dataclass
class Sweep:
    """Sends pictures and keeps what became of each."""

    fleet: Fleet
    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    longest_seconds: float = 0.0

    async def run(self, pictures: Iterable[tuple[str, bytes]]) -> None:
        remaining = iter(pictures)

        async def one_client() -> None:
            for name, data in remaining:
                await self._send(name, data)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(one_client())

    async def _send(self, name: str, data: bytes) -> None:
        sample = self.fleet.folder / f"{name.replace(':', '').replace(' ', '-')}.sample"
        sample.write_bytes(data)
        end = await self._end(data)
        self.ends[end] += 1
        if end == "DONE" or end.rpartition(" ")[2] in CODES:
            sample.unlink(missing_ok=True)
        else:
            self.faults.append(f"{name}: {end}")

    async def _end(self, data: bytes) -> str:
        headers = {"Content-Type": "application/octet-stream"}
        request = self.fleet.client.build_request("POST", "/images/", content=data, headers=headers, params=OUTPUTS)
        lines = [f"POST {request.url.raw_path.decode()} HTTP/1.1", *map(": ".join, request.headers.items()), "", ""]
        answers = await exchange(self.fleet.port, Request("\r\n".join(lines).encode(), [data]))
        if not answers:
            return "closed without a word"
        answer = json.loads(answers[0].body)
        if answers[0].status != httpx.codes.ACCEPTED:
            return f"{answers[0].status} {answer['code']}"
        job = await self._ended(answer["id"])
        if job["status"] == "DONE" and len(job["results"]) != 2:
            return "DONE without its results"
        return "DONE" if job["status"] == "DONE" else f"{job['status']} {(job['error'] or {}).get('code')}"

    async def _ended(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = {}

        async def has_ended() -> bool:
            nonlocal job
            assert self.fleet.workers[0].alive, f"the worker died: {self.fleet.workers[0].said[-2000:]}"
            job = await self.fleet.job(job_id, wait=5)
            return job["status"] in ("DONE", "FAILED")

        await wait_until(has_ended, seconds=TIME_LIMIT_SECONDS)
        took = moment(job["finished_at"]) - moment(job["created_at"])
        self.longest_seconds = max(self.longest_seconds, took)
        return job

    def __str__(self) -> str:
        told = ", ".join(f"{count} × {end}" for end, count in sorted(self.ends.items()))
        return f"{self.ends.total()} pictures, the slowest in {self.longest_seconds:.2f} s: {told}"


@asynccontextmanager
async def sweeping(folder: Path) -> AsyncIterator[Sweep]:
    """A service to send bad pictures to. It must outlive them: same worker, bounded memory, nothing left behind."""
    async with Fleet(folder, workers=1, **SETTINGS) as fleet:
        [worker] = fleet.workers
        sweep = Sweep(fleet)
        await sweep.run([("warming up", picture())] * 2 * AT_ONCE)
        assert set(sweep.ends) == {"DONE"}, str(sweep)
        sweep.ends.clear()
        pids = (worker.pid, fleet.web.pid)
        before = [memory_bytes(pid) for pid in pids]
        for pid in pids:
            forget_highest(pid)
        yield sweep
        after, highest = ([measure(pid) for pid in pids] for measure in (memory_bytes, highest_bytes))
        print(sweep)  # noqa: T201 - shown with -rP
        for name, *figures in zip(("worker", "web"), before, highest, after, strict=True):
            print("{}: {:.0f} MiB, at most {:.0f}, {:.0f} in the end".format(name, *_mebibytes(figures)))  # noqa: T201
        assert not sweep.faults, f"{sweep.faults}; the samples are in {folder}"
        assert worker.alive, worker.said[-2000:]
        assert fleet.web.alive, fleet.web.said[-2000:]
        assert (worker.pid, fleet.web.pid) == pids
        assert highest[0] < before[0] + BUDGET_BYTES + MOST_BESIDE_BYTES
        assert after[0] < before[0] + MOST_KEPT_BYTES
        await wait_until(lambda: not _unfinished(fleet.data_dir))
        await sweep.run([("the last", picture())])
        assert not sweep.faults


def _mebibytes(figures: Iterable[int]) -> Iterator[float]:
    return (figure / MEBIBYTE for figure in figures)


def _unfinished(data: Path) -> list[Path]:
    return [*(data / "uploads" / ".arriving").glob("*"), *(data / "processed" / ".making").glob("*")]


async def test_mutants(tmp_path: Path, chance: random.Random, report: Report, scale: Scale) -> None:
    count = MUTANTS[scale.long]

    def mutants(kinds: Mapping[str, list[bytes]]) -> Iterator[tuple[str, bytes]]:
        for kind, whole in kinds.items():
            for number in range(count):
                yield f"{kind} {number}", mutant(chance, whole[number % len(whole)])

    print(f"seed {report.seed}")  # noqa: T201
    async with sweeping(tmp_path) as sweep:
        kinds = samples()
        await sweep.run((kind, data) for kind, several in kinds.items() for data in several)
        assert set(sweep.ends) == {"DONE"}, f"the samples themselves: {sweep}"
        await sweep.run(mutants(kinds))
    report.took("bad input: the slowest mutant, from its upload to its end", sweep.longest_seconds)


async def test_broken_files_and_bombs(tmp_path: Path, report: Report, scale: Scale) -> None:
    async with sweeping(tmp_path) as sweep:
        broken = sorted((CORPUS / "broken").glob("*"))
        await sweep.run((path.name, path.read_bytes()) for path in broken)
        assert "DONE" not in sweep.ends
        await sweep.run((name, make()) for name, make in BOMBS.items() if scale.long or name not in SLOW)
    report.took("bad input: the slowest bomb, from its upload to its end", sweep.longest_seconds)


async def test_costly_pictures(tmp_path: Path, chance: random.Random, report: Report, scale: Scale) -> None:
    """Each is refused or rendered: none takes so long that its thread is given up."""
    pictures = [(f"{name} {n}", make) for name, make in COSTLY.items() for n in range(COSTLIES[scale.long])]
    print(f"seed {report.seed}")  # noqa: T201
    async with sweeping(tmp_path) as sweep:
        await sweep.run((name, make(chance)) for name, make in pictures)
        assert "abandoned" not in sweep.fleet.workers[0].said
    report.took("bad input: the slowest costly picture, from its upload to its end", sweep.longest_seconds)
