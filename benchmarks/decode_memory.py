"""Measures how much memory a worker takes for many pictures of 100 megapixels at once.

    python -m benchmarks.decode_memory [--uploads 40] [--threads 2] [--budget-mebibytes N] [--kinds PNG WebP]

Runs `quickthumb up` on a temporary folder, once for each kind of picture, and prints the worker's resident memory:
before, at its peak, and afterwards. Linux only.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from quickthumb.config import Config
from tests.chaos.test_memory import MEBIBYTE, all_end_done, hundred_megapixels, memory_bytes, worker
from tests.conftest import running_service

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {}),
    "progressive JPEG": ("JPEG", {"progressive": True}),
    "PNG": ("PNG", {"compress_level": 1}),
    "WebP": ("WEBP", {"method": 0}),
}
LONGEST_SECONDS = 1800


def measure(kind: str, uploads: int, threads: int, budget_bytes: int) -> None:
    name, options = KINDS[kind]
    picture = hundred_megapixels(name, **options)
    settings: dict[str, Any] = {"worker_threads": threads, "decode_budget_bytes": budget_bytes}
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder), **settings) as address:
        process = worker()
        before = memory_bytes(process, "VmRSS")
        started = time.perf_counter()
        asyncio.run(all_end_done(address, [picture] * uploads, LONGEST_SECONDS))
        seconds = time.perf_counter() - started
        peak, after = memory_bytes(process, "VmHWM"), memory_bytes(process, "VmRSS")
    moments = (("before", before), ("at most", peak), ("after", after))
    shown = ", ".join(f"{value / MEBIBYTE:.0f} MiB {moment}" for moment, value in moments)
    print(f"{kind:>16}: {uploads} in {seconds:.1f} s; {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    default = Config().sandbox.decode_budget_bytes // MEBIBYTE
    parser.add_argument("--budget-mebibytes", type=int, default=default)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    chosen = parser.parse_args()
    for kind in chosen.kinds:
        measure(kind, chosen.uploads, chosen.threads, chosen.budget_mebibytes * MEBIBYTE)


if __name__ == "__main__":
    main()
