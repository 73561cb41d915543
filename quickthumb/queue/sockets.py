"""The connections to Redis: they log in as a part of connecting, and exchange a command for its answer.

`connection` alone uses them; it decides when to connect, and what to try again.
"""

import asyncio
from typing import Any

from redis import exceptions
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection

from quickthumb.queue.deadline import Deadline

# asyncio lets nobody wait who writes no more than 64 KiB to a connection that has nothing left to send. So there is no
# need to ask whether to wait; that the connection broke shows when the answer is read.
NEVER_WAITS_BYTES = 32 * 1024


class Greeting(AbstractConnection):
    """A connection that logs in and selects its database as a part of connecting, so that a Redis that refuses this, or
    accepts the connection and is silent, is treated like one that is not there."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._answer_due = Deadline(self.socket_timeout, self._abort)

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self.socket_connect_timeout):
                await self._open()
        except (exceptions.ResponseError, exceptions.InvalidResponse) as error:
            raise exceptions.ConnectionError(str(error)) from error

    async def _open(self) -> None:
        await super()._connect()  # type: ignore[safe-super, no-untyped-call]
        await self.on_connect()

    @property
    def is_open(self) -> bool:
        """Whether Redis has not closed the connection, as far as is known. Nothing may be left to read from it."""
        return self._reader is not None and not self._reader.at_eof()

    async def open_again(self) -> None:
        """Connects, for the first time or anew."""
        await self.disconnect(nowait=True)
        await self.connect()  # type: ignore[no-untyped-call]

    async def exchange(self, command: list[bytes]) -> Any:
        """Sends a packed command and returns the answer. After any error, the connection is closed."""
        if not self.is_connected:
            await self.connect()  # type: ignore[no-untyped-call]
        try:
            with self._answer_due:
                self._writer.writelines(command)  # type: ignore[union-attr]  # it is connected
                if sum(map(len, command)) > NEVER_WAITS_BYTES:
                    await self._writer.drain()  # type: ignore[union-attr]
                answer = await self._parser.read_response()  # type: ignore[attr-defined]
        except (exceptions.ConnectionError, OSError) as error:
            await self.disconnect(nowait=True)
            if self._answer_due.passed:
                raise exceptions.TimeoutError(f"Timeout reading from {self._host_error()}") from None
            if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                raise exceptions.ConnectionError(f"The connection broke: {error}") from error
            raise
        except BaseException:
            await self.disconnect(nowait=True)
            raise
        if isinstance(answer, exceptions.ResponseError):
            raise answer
        return answer

    def _abort(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()


class _Tcp(Greeting, Connection):
    pass


class _Tls(Greeting, SSLConnection):
    pass


class _Socket(Greeting, UnixDomainSocketConnection):
    async def _open(self) -> None:
        await UnixDomainSocketConnection._connect(self)  # type: ignore[no-untyped-call]  # which logs in already


CONNECTIONS: dict[type[AbstractConnection], type[AbstractConnection]] = {
    Connection: _Tcp,
    SSLConnection: _Tls,
    UnixDomainSocketConnection: _Socket,
}
