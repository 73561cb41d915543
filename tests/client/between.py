"""A proxy between a client and the service that breaks connections, holds requests back and answers itself."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from enum import Enum

READ_BYTES = 64 * 1024
METHODS = (b"GET ", b"POST ", b"DELETE ")


class Fault(Enum):
    """What happens to a request instead of its answer."""

    LOST = "it never arrives, and the connection closes"
    UNANSWERED = "it arrives and is carried out, but the connection closes before the answer"
    HALF_ANSWERED = "the connection closes in the middle of the answer's body"
    HELD = "it does not arrive, and the connection stays open"


# Given the head of a request, says what goes wrong: a fault, or the bytes of an answer. None lets it pass.
Choose = Callable[[str], Fault | bytes | None]


def canned(status: str, *headers: str, body: bytes = b"") -> bytes:
    """The bytes of an answer, after which the connection closes."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body


class Between:
    """Runs in a thread of its own, so blocking clients can use it. `heads` are the heads of all requests so far."""

    def __init__(self, service: str) -> None:
        self._service = service.removeprefix("http://").rpartition(":")
        self.choose: Choose = lambda head: None
        self.heads: list[str] = []
        self.url = ""

    def count(self, start: str) -> int:
        """How many requests began with these words."""
        return sum(head.startswith(start) for head in list(self.heads))

    async def serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        await stop.wait()
        server.close()
        current = asyncio.current_task()
        connections = [task for task in asyncio.all_tasks() if task is not current]
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connection(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            host, _, port = self._service
            from_service, to_service = await asyncio.open_connection(host, int(port))
            answers = asyncio.create_task(_copy(from_service, to_client))
            try:
                await self._requests(from_client, to_client, from_service, to_service, answers)
            finally:
                answers.cancel()
                to_client.close()
                to_service.close()

    async def _requests(
        self,
        from_client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        from_service: asyncio.StreamReader,
        to_service: asyncio.StreamWriter,
        answers: "asyncio.Task[None]",
    ) -> None:
        while data := await from_client.read(READ_BYTES):
            fault = self._fault(data)
            if fault is Fault.LOST:
                return
            if fault is Fault.HELD:
                await asyncio.sleep(3_600)
            if isinstance(fault, bytes):
                await _answer(fault, from_client, to_client)
                return
            if fault is not None:
                answers.cancel()
                await asyncio.gather(answers, return_exceptions=True)
            to_service.write(data)
            await to_service.drain()
            if fault is not None:
                rest = asyncio.create_task(_copy(from_client, to_service))
                await _cut_short(fault, from_service, to_client)
                rest.cancel()
                return

    def _fault(self, data: bytes) -> Fault | bytes | None:
        if not data.startswith(METHODS):
            return None
        head = data.partition(b"\r\n\r\n")[0].decode("latin-1")
        self.heads.append(head)
        return self.choose(head)


async def _answer(answer: bytes, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
    to_client.write(answer)
    to_client.write_eof()
    while await from_client.read(READ_BYTES):  # closing earlier would reset the connection
        pass


async def _cut_short(fault: Fault, from_service: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
    answer = b""
    while b"\r\n\r\n" not in answer:
        data = await from_service.read(READ_BYTES)
        answer += data
        if not data:
            return
    if fault is Fault.UNANSWERED:
        return
    head, _, body = answer.partition(b"\r\n\r\n")
    body = body or await from_service.read(READ_BYTES)
    to_client.write(head + b"\r\n\r\n" + body[: len(body) // 2])
    await to_client.drain()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(READ_BYTES):
            target.write(data)
            await target.drain()
        target.close()


@contextlib.contextmanager
def between(service: str) -> Iterator[Between]:
    """A running proxy in front of the service."""
    proxy, started = Between(service), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(proxy.serve(started, stop)), daemon=True)
    thread.start()
    try:
        assert started.wait(10)
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
