"""The disk fills up: before an upload, in the middle of one, and under a running job."""

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.fleet import START_SECONDS, Fleet
from tests.chaos.pictures import large_picture, small_picture
from tests.chaos.report import Report
from tests.chaos.uploads import Kind, Stream
from tests.chaos.verdict import judge
from tests.waiting import wait_until

MEBIBYTE = 1024 * 1024
DISK_BYTES = 48 * MEBIBYTE
BLOCK = bytes(64 * 1024)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, so small that it is soon full."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("needs root, to mount a small tmpfs")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", disk], check=False)
    if mounted.returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


async def test_a_full_disk_costs_nothing_that_was_accepted(
    tmp_path: Path, small_disk: Path, chance: random.Random, report: Report
) -> None:
    stream = Stream()
    async with Fleet(tmp_path, workers=1, data_dir=small_disk / "data", min_free_bytes=MEBIBYTE) as fleet:
        [worker] = fleet.workers
        await worker.terminate()
        waiting = [await stream.accept(fleet.client, small_picture(chance)) for _ in range(5)]
        report.fault("disk full")
        ballast = _fill(small_disk, keep_free=2 * MEBIBYTE)
        await _is_refused(fleet, stream, chance, "in the middle")
        ballast.unlink()
        ballast = _fill(small_disk, keep_free=0)
        await _is_refused(fleet, stream, chance, "before it begins")

        await worker.start()
        await wait_until(lambda: "cannot use its storage" in worker.said, seconds=START_SECONDS)
        assert f"ENOSPC (No space left on device) at {small_disk}" in worker.said
        for job_id in waiting:
            assert (await fleet.job(job_id))["status"] == "WAITING"
            assert fleet.result_files(job_id) == {}
        assert worker.alive

        ballast.unlink()
        freed_at = time.time()
        await stream.accept(fleet.client, small_picture(chance))
        await judge(fleet, stream, report)
        report.took("the disk has room again: until all that waited is DONE", time.time() - freed_at)


async def _is_refused(fleet: Fleet, stream: Stream, chance: random.Random, when: str) -> None:
    sent = await stream.send(fleet.client, large_picture(chance))
    assert (sent.kind, sent.status) == (Kind.REFUSED, 507), f"{when}: {sent.kind} {sent.status}"
    assert sent.retry_after
    arriving = fleet.data_dir / "uploads" / ".arriving"
    await wait_until(lambda: not list(arriving.iterdir()))


def _fill(disk: Path, *, keep_free: int) -> Path:
    """A file that takes up all the room but `keep_free` bytes."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize > keep_free:
                file.write(BLOCK)
        except OSError:
            assert keep_free == 0
    return ballast
