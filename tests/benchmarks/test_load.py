"""The load generator, against a small server that counts what it is asked."""

import asyncio
import re
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.generator import run
from benchmarks.load import Load, LoadFailed, generator
from benchmarks.processes import free_port


class Stand:
    """Answers uploads with an id, and polls with DONE at the third time."""

    def __init__(self, end: str = "DONE") -> None:
        self.end = end
        self.uploads: list[bytes] = []
        self.polls: Counter[str] = Counter()
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await reader.readline():
            length = 0
            while (line := await reader.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            body = await reader.readexactly(length)
            answer = self.answer(head.decode().split()[1], body)
            # In two pieces, since a network may do so.
            text = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n{answer}".encode()
            writer.write(text[:30])
            await writer.drain()
            writer.write(text[30:])
        writer.close()

    def answer(self, path: str, body: bytes) -> str:
        if path == "/images/":
            self.uploads.append(body)
            return f'{{"id": "{len(self.uploads)}"}}'
        self.polls[path] += 1
        return f'{{"status":"{self.end if self.polls[path] > 2 else "WAITING"}"}}'


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8 picture")
    return str(path)


def load(port: int, photo: str, **options: object) -> Load:
    return Load(**{"port": port, "photo": photo, "images": 5, "done": "DONE", "failed": "FAILED", **options})  # type: ignore[arg-type]


async def test_every_image_is_uploaded_and_polled_to_its_end(photo: str) -> None:
    stand = Stand()
    async with await asyncio.start_server(stand.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        asked = load(port, photo, uploaders=2, first_poll_seconds=0.001, fields=[("sizes", "128")])
        measured = await run(asked)
    assert len(stand.uploads) == len(measured.upload_seconds) == len(measured.done_seconds) == 5
    assert set(stand.polls.values()) == {3}
    assert measured.polls == 15
    assert stand.connections == 2
    assert all(b'name="sizes"\r\n\r\n128\r\n' in body and b"\xff\xd8 picture\r\n" in body for body in stand.uploads)


async def test_one_path_can_be_asked_for_instead(photo: str) -> None:
    stand = Stand()
    async with await asyncio.start_server(stand.serve, "127.0.0.1", 0) as server:
        measured = await run(load(server.sockets[0].getsockname()[1], photo, path="/jobs"))
    assert (len(measured.upload_seconds), stand.polls["/jobs"], stand.uploads) == (5, 5, [])


async def test_a_failed_job_is_an_error(photo: str) -> None:
    stand = Stand(end="FAILED")
    async with await asyncio.start_server(stand.serve, "127.0.0.1", 0) as server:
        asked = load(server.sockets[0].getsockname()[1], photo, first_poll_seconds=0.001)
        with pytest.raises(ExceptionGroup) as caught:
            await run(asked)
    assert re.search("a job failed", str(caught.value.exceptions[0]))


def test_the_process_tells_why_it_could_not(photo: str) -> None:
    with generator() as process, pytest.raises(LoadFailed):
        process.run(load(free_port(), photo))
