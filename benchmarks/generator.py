"""The load generator: a process of its own, so that no measured process pays for it. It answers each line of JSON with
one.

It knows nothing of stacks and figures. It sends prepared bytes over raw connections and reads no more of an answer than
it needs; on the machines of the report it takes less than a tenth of the CPU time of the servers.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.load import Load, Measured

BOUNDARY = b"----quickthumb-benchmark"
HEAD_END = b"\r\n\r\n"
WATCH_SECONDS = 1.0


class Connection(asyncio.Protocol):
    """A keep-alive connection with one request at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(HEAD_END)
        if end < 0 or self._answer is None:
            return
        head = bytes(self._received[:end])
        body = end + len(HEAD_END)
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        if len(self._received) < body + length:
            return
        answer, self._answer = self._answer, None
        if not answer.done():
            answer.set_result((int(head[9:12]), bytes(self._received[body : body + length])))
        self._received.clear()

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server closed the connection"))

    async def ask(self, *request: bytes) -> tuple[int, bytes]:
        """Sends a request; returns the status and the body of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.writelines(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()


@dataclass
class Run:
    """One load while it runs, and what was measured of it so far."""

    load: Load
    request: tuple[bytes, ...]
    left: int
    ends: float
    measured: Measured

    async def uploader(self) -> None:
        """Uploads, polls until the job has ended, and starts again, until nothing is left to upload."""
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self.load.port)
        try:
            while self.left > 0 and time.perf_counter() < self.ends:
                self.left -= 1
                await self._one(connection)
                await asyncio.sleep(self.load.pause_seconds)
        finally:
            connection.close()

    async def _one(self, connection: Connection) -> None:
        began = time.perf_counter()
        status, body = await connection.ask(*self.request)
        self.measured.upload_seconds.append(time.perf_counter() - began)
        if status not in (200, 202):
            raise RuntimeError(f"the upload was answered with {status}: {body[:300]!r}")
        if self.load.path:
            return
        self.measured.last_id = json.loads(body)["id"]
        if self.load.done:
            await self._wait(connection, self.measured.last_id)
            self.measured.done_seconds.append(time.perf_counter() - began)

    async def _wait(self, connection: Connection, job_id: str) -> None:
        request = get_request(f"/jobs/{job_id}")
        done, failed = self.load.done.encode(), self.load.failed.encode()
        pause = self.load.first_poll_seconds
        while True:
            await asyncio.sleep(pause)
            _, body = await connection.ask(request)
            self.measured.polls += 1
            if done in body:
                return
            if failed in body:
                raise RuntimeError(f"a job failed: {body[:300]!r}")
            pause = min(pause * self.load.poll_growth, self.load.longest_poll_seconds)


async def run(load: Load) -> Measured:
    """Uploads as much as the load says, and returns what was measured."""
    request = (get_request(load.path),) if load.path else upload_request(load)
    ends = time.perf_counter() + load.longest_seconds
    run = Run(load, request, load.images, ends, Measured())
    watchers = [asyncio.create_task(watch(load, number, run.measured)) for number in range(load.watchers)]
    await asyncio.sleep(WATCH_SECONDS if watchers else 0)  # until all are connected
    cpu, began = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as uploaders:
        for _ in range(load.uploaders):
            uploaders.create_task(run.uploader())
    run.measured.seconds = time.perf_counter() - began
    for watcher in watchers:
        watcher.cancel()
    for end in await asyncio.gather(*watchers, return_exceptions=True):
        if isinstance(end, Exception):
            raise end
    run.measured.generator_cpu_seconds = time.process_time() - cpu
    return run.measured


async def watch(load: Load, number: int, measured: Measured) -> None:
    """Asks for a path once a second. The watchers begin one after the other within a second."""
    await asyncio.sleep(number / load.watchers * WATCH_SECONDS)
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", load.port)
    request = get_request(load.watched_path)
    while True:
        began = time.perf_counter()
        status, body = await connection.ask(request)
        measured.watched_seconds.append(time.perf_counter() - began)
        if status != 200:
            raise RuntimeError(f"a poll was answered with {status}: {body[:300]!r}")
        await asyncio.sleep(WATCH_SECONDS)


def get_request(path: str) -> bytes:
    """The head of a request for a path."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def upload_request(load: Load) -> tuple[bytes, bytes]:
    """The head and the body of a multipart upload of the photo with its fields."""
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (BOUNDARY, name.encode(), value.encode())
        for name, value in load.fields
    ]
    parts.append(
        b'--%b\r\nContent-Disposition: form-data; name="image"; filename="photo.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n%b\r\n--%b--\r\n" % (BOUNDARY, Path(load.photo).read_bytes(), BOUNDARY)
    )
    body = b"".join(parts)
    head = (
        b"POST /images/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=%b\r\n"
        b"Content-Length: %d\r\n\r\n" % (BOUNDARY, len(body))
    )
    return head, body


def main() -> None:
    for line in sys.stdin:
        load = Load(**json.loads(line))
        try:
            answer: dict[str, object] = asdict(uvloop.run(run(load)))
        except* (RuntimeError, OSError) as errors:
            answer = {"error": "; ".join(sorted({str(error) for error in errors.exceptions}))}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
