"""Uploads from 100 KB to 1 GB: how fast they are taken, and how much memory the web process needs for them."""

import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.assembled import Assembled, assembled, peak_memory_bytes
from benchmarks.figures import spread
from benchmarks.measures.bench import Bench, Measure, Record
from benchmarks.processes import cpu_seconds

MEGABYTE = 1_000_000
SIZES = (MEGABYTE // 10, MEGABYTE, 10 * MEGABYTE, 100 * MEGABYTE, 1_000 * MEGABYTE)
# Small uploads are repeated until so much has been sent.
SENT_BYTES = 300 * MEGABYTE
MOST_REPEATS = 200
SETTINGS = {"QUICKTHUMB_MAX_UPLOAD_BYTES": str(2_000 * MEGABYTE), "QUICKTHUMB_MAX_PIXELS": str(1_000 * MEGABYTE)}
WIDTH = 10_000
BOUNDARY = "quickthumb-benchmark"


def take(bench: Bench) -> Iterator[Record]:
    """BMPs without compression, black, since their size can be chosen. No worker runs, so nothing else is measured."""
    with assembled(SETTINGS, name="sizes") as service:
        for size in SIZES:
            photo = service.folder / "photo.bmp"
            write_bmp(photo, size)
            repeats = max(1, min(MOST_REPEATS, round(SENT_BYTES * min(1, bench.scale) / size)))
            bench.tell(f"{repeats} upload(s) of {size / MEGABYTE:g} MB")
            before = cpu_seconds([service.web])["web"]
            seconds = [upload_seconds(service, photo) for _ in range(repeats)]
            cpu = cpu_seconds([service.web])["web"] - before
            yield {
                "bytes": size,
                "uploads": repeats,
                "megabytes_per_second": round(size / MEGABYTE / spread(seconds).median, 1),
                "cpu_ms_per_megabyte": round(cpu / repeats / size * MEGABYTE * 1e3, 3),
                "web_peak_mb": round(peak_memory_bytes([service.web]) / MEGABYTE, 1),
            }


def write_bmp(path: Path, size: int) -> None:
    """A BMP of about this many bytes. The file has holes, so that it needs no room on the disk."""
    width = min(WIDTH, 1 + int((size / 3) ** 0.5)) // 4 * 4
    height = size // (3 * width)
    pixels = 3 * width * height
    head = struct.pack("<2sIHHI", b"BM", 54 + pixels, 0, 0, 54)
    head += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, pixels, 2835, 2835, 0, 0)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(54 + pixels)


def upload_seconds(service: Assembled, photo: Path) -> float:
    """How long one upload took, until its answer. The kernel sends the file, without a copy here."""
    part = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="{photo.name}"\r\n'
        "Content-Type: image/bmp\r\n\r\n"
    ).encode()
    end = f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        f"POST /images/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(part) + photo.stat().st_size + len(end)}\r\n\r\n"
    ).encode()
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", service.port)) as connection, photo.open("rb") as file:
        connection.sendall(head + part)
        connection.sendfile(file)
        connection.sendall(end)
        answer = connection.recv(65536)
    if not answer.startswith(b"HTTP/1.1 202 "):
        raise RuntimeError(f"the upload of {photo.stat().st_size} bytes was answered with {answer[:400]!r}")
    return time.perf_counter() - began


MEASURE = Measure("sizes", "Uploads of 100 KB to 1 GB: MB/s and memory", take)
