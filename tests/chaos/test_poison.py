"""A poisonous image harms only itself: its job FAILS with the reason, all others end DONE.

What the pictures of these sizes do is in `tests/faults`.
"""

import asyncio
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import http_client, picture, running_service
from tests.waiting import wait_until

FAULTS = Path(__file__).parents[1] / "faults"
INNOCENTS = 20
SETTINGS = {
    "lease_seconds": 2,
    "freeze_seconds": 5,
    "quarantine_memory_bytes": 512 * 1024 * 1024,
    "worker_threads": 2,
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs the limits of Linux")


@dataclass(frozen=True)
class Fault:
    """What a picture does, and what must come of it: how many workers die. An attempt may take `seconds`."""

    height: int
    code: str
    detail: str
    deaths: int
    threads: int = 2
    seconds: int = 2


POISONS = {
    "abort": Fault(13, "decoder_crashed", "The decoder crashed (signal 6).", 1, seconds=30),
    "segfault": Fault(17, "decoder_crashed", "The decoder crashed (signal 11).", 1, seconds=30),
    "memory": Fault(16, "memory_exceeded", "Processing needed more than 512 MiB of memory.", 1, seconds=30),
    "hang": Fault(14, "job_timed_out", "Processing took longer than 2 s.", 0),
    "hang of the only thread": Fault(14, "job_timed_out", "Processing took longer than 2 s.", 1, threads=1),
    "hang with the GIL": Fault(15, "job_timed_out", "Processing took longer than 2 s.", 1),
}


async def upload(web: httpx.AsyncClient, image: bytes) -> str:
    answer = await web.post("/images/", files={"image": ("picture.jpg", image)})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def ended(web: httpx.AsyncClient, job_id: str, seconds: float = 60) -> dict[str, Any]:
    job: dict[str, Any] = {}

    async def has_ended() -> bool:
        nonlocal job
        job = (await web.get(f"/jobs/{job_id}", params={"wait": 10})).json()
        return job["status"] in ("DONE", "FAILED", "CANCELLED")

    await wait_until(has_ended, seconds)
    return job


async def poisoned(address: str, poison: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The job of the poison and those of the others, in the end."""
    async with http_client(address) as web:
        before = [await upload(web, picture(300, 200 + number)) for number in range(INNOCENTS // 2)]
        poison_id = await upload(web, poison)
        after = [await upload(web, picture(300, 300 + number)) for number in range(INNOCENTS // 2)]
        poison_job, *others = await asyncio.gather(*(ended(web, job_id) for job_id in (poison_id, *before, *after)))
        return poison_job, others


@pytest.mark.parametrize("fault", POISONS.values(), ids=list(POISONS))
def test_it_fails_with_its_reason_and_the_others_are_done(fault: Fault, tmp_path: Path) -> None:
    seconds = {"job_timeout_seconds": fault.seconds, "quarantine_seconds": fault.seconds}
    settings = {**SETTINGS, **seconds, "worker_threads": fault.threads}
    with running_service(tmp_path, modules=(FAULTS,), **settings) as address:
        began = time.monotonic()
        poison, others = asyncio.run(poisoned(address, picture(13, fault.height)))
        took = time.monotonic() - began
    log = (tmp_path / "up.log").read_text()
    assert [job["status"] for job in others] == ["DONE"] * INNOCENTS, log
    assert poison["status"] == "FAILED", log
    assert (poison["error"]["code"], poison["error"]["detail"]) == (fault.code, fault.detail), log
    assert poison["attempts"] == 2, log
    assert len(re.findall(r"worker (?:exited|was killed).*restarting", log)) == fault.deaths, log
    print(f"{took:.1f} s")  # noqa: T201 - shown with -rP
