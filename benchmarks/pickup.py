"""Measures what the service adds to a job: the time from the 202 to DONE, against the same work in a bare loop.

    python benchmarks/pickup.py photo.jpg                         starts a service of its own
    python benchmarks/pickup.py photo.jpg http://127.0.0.1:8000   uses a running service

Jobs and bare runs alternate, so that a change of the machine's speed affects both. The service is idle between jobs. If
this script started the service, it also measures the worker's idle CPU time at the end.
"""

import contextlib
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

from quickthumb.imaging.engine import render
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output

JOBS = 60
WARM_UP = 5
PAUSE_SECONDS = 0.15
IDLE_SECONDS = 30.0
THUMBNAIL = [Output(name="thumbnail", width=128, height=128)]


@contextlib.contextmanager
def own_service(folder: Path) -> Iterator[tuple[str, int]]:
    """Starts a service on a folder; yields its URL and its process id."""
    words = [sys.executable, "-m", "quickthumb", "up", "--port", "0", "--data-dir", str(folder / "data")]
    log = folder / "up.log"
    with log.open("w") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output)
        try:
            while not (found := re.search(r"ready: (http://\S+?)/?\s", log.read_text())):
                if process.poll() is not None:
                    raise SystemExit(log.read_text())
                time.sleep(0.05)
            yield found[1], process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def ask(request: urllib.request.Request | str) -> dict[str, str]:
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - the caller chose the URL
        found: dict[str, str] = json.load(answer)
        return found


def job_seconds(address: str, photo: bytes) -> tuple[float, float]:
    """How long the answer to one upload took, and how long after that its job was DONE, in seconds."""
    headers = {"Content-Type": "image/jpeg"}
    began = time.perf_counter()
    job = ask(urllib.request.Request(f"{address}/images/", photo, headers))  # noqa: S310
    accepted = time.perf_counter()
    ended = ask(f"{address}/jobs/{job['id']}?wait=30")
    done = time.perf_counter()
    if ended["status"] != "DONE":
        raise SystemExit(f"the job did not end as DONE: {ended}")
    return accepted - began, done - accepted


def bare_seconds(photo: Path, folder: Path) -> float:
    began = time.perf_counter()
    render(photo, THUMBNAIL, folder, Limits(max_pixels=100_000_000))
    return time.perf_counter() - began


def measure(address: str, photo: Path, folder: Path) -> None:
    data = photo.read_bytes()
    rows = []
    for _ in range(WARM_UP + JOBS):
        upload, done = job_seconds(address, data)
        time.sleep(PAUSE_SECONDS)
        rows.append((upload, done, bare_seconds(photo, folder)))
        time.sleep(PAUSE_SECONDS)
    uploads, dones, bares = zip(*rows[WARM_UP:], strict=True)
    extra = [done - bare for done, bare in zip(dones, bares, strict=True)]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; medians of {JOBS}")
    print(f"upload to 202      {_ms(uploads)}")
    print(f"202 to DONE        {_ms(dones)}")
    print(f"bare loop          {_ms(bares)}")
    print(f"difference, paired {_ms(extra)}")


def idle_cpu(up: int) -> None:
    worker = next(child for child in psutil.Process(up).children(recursive=True) if "arq" in " ".join(child.cmdline()))
    before = sum(worker.cpu_times()[:2])
    time.sleep(IDLE_SECONDS)
    share = (sum(worker.cpu_times()[:2]) - before) / IDLE_SECONDS
    print(f"idle worker        {share:7.2%} of a core, over {IDLE_SECONDS:g} s")


def _ms(seconds: "tuple[float, ...] | list[float]") -> str:
    return f"{statistics.median(seconds) * 1000:7.1f} ms"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        if len(sys.argv) > 2:
            measure(sys.argv[2], Path(sys.argv[1]), Path(made))
        else:
            with own_service(Path(made)) as (own_address, pid):
                measure(own_address, Path(sys.argv[1]), Path(made))
                idle_cpu(pid)
