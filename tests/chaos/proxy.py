"""A way to Redis that can be cut: before a command has arrived, in the middle of it, or before its answer has."""

import asyncio
import contextlib
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Self

from redis.asyncio.connection import parse_url

READ_BYTES = 64 * 1024


class Cut(Enum):
    """Where the connection breaks."""

    BEFORE = "before the command"
    WITHIN = "within the command"
    BEFORE_ANSWER = "before the answer"
    WITHIN_ANSWER = "within the answer"


# Given what a client sends at one time, says where to cut, if anywhere.
Choose = Callable[[bytes], Cut | None]


class Proxy:
    """Listens on `url` and passes all on to the Redis on a unix socket, as long as `choose` lets it."""

    def __init__(self, redis_url: str, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}"
        self.choose: Choose = lambda data: None
        self.cuts: list[Cut] = []
        self._port = port
        self._socket = parse_url(redis_url)["path"]
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            try:
                from_redis, to_redis = await asyncio.open_unix_connection(self._socket)
            except OSError:
                to_client.close()
                return
            try:
                await self._pass_on(from_client, to_client, from_redis, to_redis)
            finally:
                to_client.close()
                to_redis.close()

    async def _pass_on(
        self,
        from_client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        from_redis: asyncio.StreamReader,
        to_redis: asyncio.StreamWriter,
    ) -> None:
        answers = asyncio.create_task(_copy(from_redis, to_client))
        try:
            while data := await from_client.read(READ_BYTES):
                cut = self.choose(data)
                if cut is None:
                    to_redis.write(data)
                    await to_redis.drain()
                    continue
                self.cuts.append(cut)
                answers.cancel()
                await asyncio.gather(answers, return_exceptions=True)
                await _cut(cut, data, to_client, from_redis, to_redis)
                return
        finally:
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)


async def _cut(
    cut: Cut,
    data: bytes,
    to_client: asyncio.StreamWriter,
    from_redis: asyncio.StreamReader,
    to_redis: asyncio.StreamWriter,
) -> None:
    if cut is Cut.BEFORE:
        return
    to_redis.write(data[: len(data) // 2] if cut is Cut.WITHIN else data)
    await to_redis.drain()
    if cut is Cut.WITHIN:
        return
    # The command has run once its answer is here.
    answer = await from_redis.read(READ_BYTES)
    if cut is Cut.WITHIN_ANSWER:
        to_client.write(answer[: len(answer) // 2])
        await to_client.drain()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(READ_BYTES):
            target.write(data)
            await target.drain()
        target.close()
