"""The disk fills up: before an upload, in the middle of one, and under a running job; and one job wants all of it."""

import asyncio
import contextlib
import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.chaos.fleet import START_SECONDS, Fleet
from tests.chaos.mixed import mixed_load
from tests.chaos.mixed_verdict import judge_load
from tests.chaos.pictures import large_picture, small_picture
from tests.chaos.report import Report
from tests.chaos.uploads import Kind, Stream, Way
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
    data_dir = small_disk / "data"
    async with (
        mixed_load(chance, data_dir) as load,
        Fleet(tmp_path, workers=1, data_dir=data_dir, min_free_bytes=MEBIBYTE, **load.settings) as fleet,
    ):
        stream = load.stream
        [worker] = fleet.workers
        await worker.terminate()
        for way in (Way.UPLOAD, Way.HOOK, Way.URL, Way.TWIN, Way.TWIN, Way.PARTS):
            await load.send_one(fleet.client, way)
        waiting = [sent.job_id for sent in stream.accepted]
        report.fault("disk full")
        ballast = _fill(small_disk, keep_free=4 * MEBIBYTE)
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
        await judge_load(fleet, load, report)
        report.took("the disk has room again: until all that waited is DONE", time.time() - freed_at)


async def test_a_full_disk_gets_room_from_what_has_expired(
    tmp_path: Path, small_disk: Path, chance: random.Random
) -> None:
    stream = Stream()
    async with Fleet(
        tmp_path,
        workers=1,
        data_dir=small_disk / "data",
        min_free_bytes=MEBIBYTE,
        retention_seconds=5,
        source_retention_seconds=5,
        sweep_seconds=1,
        housekeeping_seconds=1,
    ) as fleet:
        await fleet.until(await stream.accept(fleet.client, large_picture(chance)), "DONE")
        _fill(small_disk, keep_free=0)
        [worker] = fleet.workers
        await wait_until(lambda: "cannot use its storage" in worker.said, seconds=START_SECONDS)
        await wait_until(lambda: "can use its storage" in worker.said.partition("cannot use")[2], seconds=60)
        assert not list((fleet.data_dir / "uploads").glob("???/*"))


@pytest.mark.timeout(400)
async def test_a_job_that_does_not_fit_harms_no_other_and_is_given_up(
    tmp_path: Path, small_disk: Path, chance: random.Random, report: Report
) -> None:
    stream = Stream()
    async with Fleet(
        tmp_path, workers=1, data_dir=small_disk / "data", min_free_bytes=MEBIBYTE, worker_threads=2, give_up_attempts=5
    ) as fleet:
        ballast = _fill(small_disk, keep_free=12 * MEBIBYTE)
        with _least_free(small_disk) as least:
            greedy = await _submit_greedy(fleet, results=8)

            def has_given_way() -> bool:
                return f"job {greedy}: retrying" in fleet.workers[0].said

            strangers = []
            for room_bytes in range(11 * MEBIBYTE, 0, -2 * MEBIBYTE):
                # Before, between and after the results of the greedy job.
                await wait_until(lambda least_bytes=room_bytes: least[-1] < least_bytes or has_given_way(), seconds=120)  # type: ignore[misc]
                strangers.append(await stream.accept(fleet.client, small_picture(chance)))
            assert has_given_way()
            making = fleet.data_dir / "processed" / ".making"
            assert not [path for path in making.iterdir() if path.name.startswith(greedy)]
            strangers += [await stream.accept(fleet.client, small_picture(chance)) for _ in range(10)]
            jobs = [await fleet.job(job_id, wait=60) for job_id in strangers]
            failed = await fleet.until(greedy, "FAILED", seconds=120)
        assert {(job["status"], job["attempts"]) for job in jobs} == {("DONE", 1)}
        assert min(least) >= 2 * MEBIBYTE
        assert failed["error"]["code"] == "gave_up"
        assert "after 5 attempts" in failed["error"]["detail"]
        assert failed["error"]["detail"].endswith("The server's disk has too little room.")

        ballast.unlink()
        assert (await fleet.client.post(f"/jobs/{greedy}/retry")).status_code == 202
        await fleet.until(greedy, "DONE", seconds=120)
        await judge(fleet, stream, report)


async def test_a_job_whose_results_are_too_large_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    async with Fleet(
        tmp_path, workers=1, data_dir=small_disk / "data", min_free_bytes=MEBIBYTE, max_result_bytes=5 * MEBIBYTE
    ) as fleet:
        greedy = await _submit_greedy(fleet, results=4)
        failed = await fleet.until(greedy, "FAILED", seconds=120)
        assert (failed["attempts"], failed["error"]["code"]) == (1, "results_too_large")
        assert "MAX_RESULT_BYTES" in failed["error"]["detail"]
        assert "the output result-" in failed["error"]["detail"]
        assert list(fleet.result_files(greedy)) == ["outcome.json"]
        assert not list((fleet.data_dir / "processed" / ".making").iterdir())


async def test_uploads_at_the_same_time_leave_room_together(
    tmp_path: Path, small_disk: Path, chance: random.Random
) -> None:
    stream = Stream()
    async with Fleet(tmp_path, workers=0, data_dir=small_disk / "data", min_free_bytes=MEBIBYTE) as fleet:
        _fill(small_disk, keep_free=8 * MEBIBYTE)
        with _least_free(small_disk) as least:
            await asyncio.gather(*(stream.send(fleet.client, large_picture(chance)) for _ in range(6)))
        assert stream.refused()["507"]
        assert min(least) >= 2 * MEBIBYTE


async def _submit_greedy(fleet: Fleet, *, results: int) -> str:
    """A job that makes results of about 2 MB each from a source of 0.2 MB. Returns its id."""
    file = BytesIO()
    noise = [Image.effect_noise((900, 900), 90) for _ in range(3)]  # in color: gray takes a third of the bytes
    Image.merge("RGB", noise).save(file, "JPEG", quality=20, subsampling=0)
    outputs = [{"name": f"result-{number}", "width": 900 - number, "format": "png"} for number in range(results)]
    answer = await fleet.client.post(
        "/images/",
        content=file.getvalue(),
        params={"outputs": json.dumps(outputs)},
        headers={"Content-Type": "image/jpeg"},
    )
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


@contextlib.contextmanager
def _least_free(disk: Path) -> Iterator[list[int]]:
    """Watches how much of the disk is free, in bytes, until the block ends: the list gets every new low."""
    lows, ended = [_free_bytes(disk)], threading.Event()

    def watch() -> None:
        while not ended.wait(0.001):
            if (free_bytes := _free_bytes(disk)) < lows[-1]:
                lows.append(free_bytes)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield lows
    finally:
        ended.set()
        watching.join()


def _free_bytes(disk: Path) -> int:
    status = os.statvfs(disk)
    return status.f_bavail * status.f_frsize


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
            while _free_bytes(disk) > keep_free:
                file.write(BLOCK)
        except OSError:
            assert keep_free == 0
    return ballast
