"""Clients that stop in the middle, or drip: each is closed in time, and nobody else waits because of them."""

import asyncio
import contextlib
import math
import os
import resource
import select
import socket
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

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
    True: {"upload_idle_seconds": 2, "upload_total_seconds": 5, "max_connections_per_address": 1000},
    False: {
        "upload_idle_seconds": 2,
        "upload_total_seconds": 3,
        "max_connections_per_address": 1000,
        "protocol": "tests.chaos.hasty:HastyProtocol",
    },
}
# Clients that read nothing: how many connections each of two addresses opens, and how many there may be.
NON_READERS = {True: 1000, False: 150}
MOST_NON_READERS = {True: 400, False: 60}
SEND_IDLE_SECONDS = 3
READING_SIDE = 1800
# What uvicorn and the file's reader keep of an answer, and what a busy machine lets pile up of those that are refused.
KEPT_PER_READER_BYTES = 768 * 1024
# The longest of the service's deadlines is that of a head, 10 s.
CLOSED_WITHIN_SECONDS = 15.0
ASKED_OVER_SECONDS = {True: 8.0, False: 1.5}
MOST_KEPT_BYTES = 40 * MEBIBYTE

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


class NonReader:
    """A connection that asks for a large file and reads nothing; `refused` if the service did not take it."""

    def __init__(self, address: str, path: str) -> None:
        self._address = address
        self._path = path
        self.refused = False

    async def run(self, port: int) -> None:
        """Waits until the service closes the connection, and only then reads what it has sent."""
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            client.setblocking(False)
            client.bind((self._address, 0))
            await loop.sock_connect(client, ("127.0.0.1", port))
            with contextlib.suppress(ConnectionError):
                await loop.sock_sendall(client, f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                await self._closed(client)
            with contextlib.suppress(ConnectionError):
                self.refused = b" 503 " in await loop.sock_recv(client, 100)

    @staticmethod
    async def _closed(client: socket.socket) -> None:
        poll = select.poll()
        poll.register(client, select.POLLRDHUP)
        await wait_until(lambda: bool(poll.poll(0)), seconds=CLOSED_WITHIN_SECONDS * 2)


def noise() -> bytes:
    """A picture of about 10 MB, more than the system keeps for a client that reads nothing."""
    file = BytesIO()
    Image.frombytes("RGB", (READING_SIDE, READING_SIDE), os.urandom(READING_SIDE**2 * 3)).save(
        file, "PNG", compress_level=0
    )
    return file.getvalue()


@pytest.mark.usefixtures("many_files")
async def test_crowds_that_do_not_read_are_bounded_and_cut_off(tmp_path: Path, report: Report, scale: Scale) -> None:
    count, most = NON_READERS[scale.long], MOST_NON_READERS[scale.long]
    limits: dict[str, Any] = {"max_connections_per_address": most, "send_idle_seconds": SEND_IDLE_SECONDS}
    async with Fleet(tmp_path, workers=0, **limits) as fleet:
        answer = await fleet.client.post("/images/", content=noise(), headers={"Content-Type": "image/png"})
        path = answer.json()["links"]["original"]
        await fleet.client.aclose()
        pid = fleet.web.pid
        files, memory = descriptors(pid), memory_bytes(pid)
        clients = [NonReader(address, path) for address in ("127.0.0.2", "127.0.0.3") for _ in range(count)]
        running = asyncio.gather(*(client.run(fleet.port) for client in clients))
        took = await health_seconds(fleet, HEALTH_REQUESTS[False], 0.02)
        await running
        kept = highest_bytes(pid) - memory
        p99 = quantile(took, 0.99)
        print(  # noqa: T201 - shown with -rP
            f"{2 * count} clients that read nothing: {sum(client.refused for client in clients)} read that they were "
            f"refused, /healthz p99 {p99 * 1000:.1f} ms, web at most {kept / MEBIBYTE:.0f} MiB more"
        )
        report.took(f"{2 * count} clients that read nothing: /healthz at p99", p99)
        assert sum(client.refused for client in clients) <= 2 * (count - most) + most
        await wait_until(lambda: descriptors(pid) <= files + 1)
        assert kept < MOST_KEPT_BYTES + 2 * most * KEPT_PER_READER_BYTES
        assert fleet.web.pid == pid
        assert "Traceback" not in fleet.web.said, fleet.web.said[-4000:]
        assert "Too many open files" not in fleet.web.said
