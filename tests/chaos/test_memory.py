"""However large the pictures and however many at once: the worker's memory stays under its budget."""

import asyncio
from io import BytesIO
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.chaos.test_poison import ended, upload
from tests.conftest import http_client, running_service

MEBIBYTE = 1024 * 1024
BUDGET_BYTES = 640 * MEBIBYTE
# The C library cannot give all of it back: pieces in use stand in the way. Pillow keeps 64 MiB for the next picture.
KEPT_BYTES = 160 * MEBIBYTE

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")


def worker() -> psutil.Process:
    """The one that `quickthumb up` started last."""
    found = [child for child in psutil.Process().children(recursive=True) if "arq" in child.cmdline()]
    return found[-1]


def memory_bytes(process: psutil.Process, name: str) -> int:
    (line,) = (
        line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith(f"{name}:")
    )
    return int(line.split()[1]) * 1024


def hundred_megapixels(kind: str, **options: object) -> bytes:
    file = BytesIO()
    Image.radial_gradient("L").resize((10_000, 10_000)).convert("RGB").save(file, kind, **options)
    return file.getvalue()


async def all_end_done(address: str, pictures: list[bytes], seconds: float = 60) -> None:
    async with http_client(address, timeout=60) as web:
        ids = await asyncio.gather(*(upload(web, picture) for picture in pictures))
        jobs = await asyncio.gather(*(ended(web, job_id, seconds) for job_id in ids))
    assert [job["status"] for job in jobs] == ["DONE"] * len(pictures)


@needs_proc
def test_pictures_of_100_megapixels_stay_under_the_budget(tmp_path: Path) -> None:
    """Unbounded, four progressive JPEGs at once take 1.2 GB, and what the threads keep of four PNGs 1.6 GB."""
    pictures = [hundred_megapixels("JPEG", progressive=True), hundred_megapixels("PNG", compress_level=1)]
    with running_service(tmp_path, worker_threads=4, decode_budget_bytes=BUDGET_BYTES) as address:
        process = worker()
        idle = memory_bytes(process, "VmRSS")
        asyncio.run(all_end_done(address, pictures * 4))
        assert memory_bytes(process, "VmHWM") < BUDGET_BYTES + idle + KEPT_BYTES
        assert memory_bytes(process, "VmRSS") < idle + KEPT_BYTES
