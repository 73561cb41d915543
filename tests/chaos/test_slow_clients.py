"""Clients that stop in the middle, or drip: each is closed in time, and nobody else waits because of them."""

import asyncio
import contextlib
import math
import resource
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.chaos.conftest import Scale
from tests.chaos.fleet import Fleet
from tests.chaos.gauges import MEBIBYTE, descriptors, highest_bytes, memory_bytes, needs_linux
from tests.chaos.report import Report
from tests.conftest import picture
from tests.waiting import wait_until

SLOW_CLIENTS = {True: 500, False: 100}
HEALTH_REQUESTS = {True: 200, False: 50}
LONGEST_P99_SECONDS = 0.2
DRIP_SECONDS = 1.0
SETTINGS: dict[bool, dict[str, Any]] = {
    True: {"upload_idle_seconds": 2, "upload_total_seconds": 5},
    False: {"upload_idle_seconds": 2, "upload_total_seconds": 3, "protocol": "tests.chaos.hasty:HastyProtocol"},
}
# The longest of the service's deadlines is that of a head, 10 s.
CLOSED_WITHIN_SECONDS = 15.0
ASKED_OVER_SECONDS = {True: 8.0, False: 1.5}
MOST_KEPT_BYTES = 24 * MEBIBYTE

IMAGE = picture(64, 48)
HEAD = b"POST /images/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(
    IMAGE
)
HALF_A_HEAD = HEAD[: len(HEAD) // 2]
HALF_A_BODY = HEAD + IMAGE[: len(IMAGE) // 2]
# What each third of the clients sends at once, and what it sends byte by byte behind that.
KINDS = ((HALF_A_HEAD, b""), (HALF_A_BODY, b""), (b"", HEAD), (HEAD, IMAGE))
SHARES = (2, 2, 1, 1)

pytestmark = [needs_linux, pytest.mark.timeout(300)]


class SlowClient:
    """One connection; `seconds` is how long the service bore with it."""

    def __init__(self, at_once: bytes, dripping: bytes) -> None:
        self._at_once = at_once
        self._dripping = dripping
        self.connected = asyncio.Event()
        self.seconds = math.inf
        self.answer = b""

    async def run(self, port: int) -> None:
        """Sends, until the service closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.monotonic()
        try:
            writer.write(self._at_once)
            self.connected.set()
            with contextlib.suppress(ConnectionError):
                await self._drip(reader, writer)
                while piece := await reader.read(4096):
                    self.answer += piece
            self.seconds = time.monotonic() - began
        finally:
            writer.transport.abort()

    async def _drip(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A byte, then whatever the service says within a second, and so on."""
        for byte in self._dripping:
            writer.write(bytes((byte,)))
            with contextlib.suppress(TimeoutError):
                self.answer += await asyncio.wait_for(reader.read(4096), DRIP_SECONDS)
                return


async def health_seconds(fleet: Fleet, count: int, pause_seconds: float) -> list[float]:
    """How long each of `count` answers took, asked one after another over connections of their own."""
    took = []
    async with httpx.AsyncClient(base_url=fleet.address, timeout=30, trust_env=False) as client:
        for _ in range(count):
            began = time.perf_counter()
            answer = await client.get("/healthz", headers={"Connection": "close"})
            took.append(time.perf_counter() - began)
            assert answer.status_code == 200
            await asyncio.sleep(pause_seconds)
    return sorted(took)


def quantile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


@pytest.fixture
def many_files() -> None:
    """Room for both ends' descriptors; the service's process inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))


@pytest.mark.usefixtures("many_files")
async def test_they_are_closed_in_time_and_nobody_waits_for_them(tmp_path: Path, report: Report, scale: Scale) -> None:
    count = SLOW_CLIENTS[scale.long]
    kinds = [kind for kind, share in zip(KINDS, SHARES, strict=True) for _ in range(share)]
    clients = [SlowClient(*kinds[number % len(kinds)]) for number in range(count)]
    async with Fleet(tmp_path, workers=0, **SETTINGS[scale.long]) as fleet:
        assert (await fleet.client.post("/images/", content=IMAGE, headers={"Content-Type": "image/jpeg"})).is_success
        await fleet.client.aclose()
        pid = fleet.web.pid
        files, memory = descriptors(pid), memory_bytes(pid)
        running = asyncio.gather(*(client.run(fleet.port) for client in clients))
        await asyncio.gather(*(client.connected.wait() for client in clients))
        asked = HEALTH_REQUESTS[scale.long]
        took = await health_seconds(fleet, asked, ASKED_OVER_SECONDS[scale.long] / asked)
        await asyncio.wait_for(running, CLOSED_WITHIN_SECONDS)

        p50, p99 = quantile(took, 0.5), quantile(took, 0.99)
        print(  # noqa: T201 - shown with -rP
            f"{count} slow clients: /healthz p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms; closed after at most "
            f"{max(client.seconds for client in clients):.1f} s; web at most {highest_bytes(pid) / MEBIBYTE:.0f} MiB, "
            f"{memory_bytes(pid) / MEBIBYTE:.0f} MiB in the end"
        )
        report.took(f"{count} slow clients: /healthz at p99", p99)
        report.took("the slowest of them: until its connection is closed", max(client.seconds for client in clients))
        assert {client.answer[9:12] for client in clients} == {b"408"}
        await wait_until(lambda: descriptors(pid) <= files)
        await wait_until(lambda: not list((fleet.data_dir / "uploads" / ".arriving").glob("*")))
        assert memory_bytes(pid) < memory + MOST_KEPT_BYTES
        assert fleet.web.pid == pid
        assert "Traceback" not in fleet.web.said, fleet.web.said[-4000:]
        if scale.long:
            assert p99 < LONGEST_P99_SECONDS
