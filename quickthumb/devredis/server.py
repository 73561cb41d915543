"""One embedded Redis: how it is started, when it is ready, and how one that was left over is ended."""

import asyncio
import contextlib
import os
import stat
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from quickthumb.devredis.binary import RedisCannotStart, find_server

ANSWER_SECONDS = 2.0
LEFTOVER_SECONDS = 30.0
POLL_SECONDS = 0.02
PRIVATE = 0o700


@dataclass(frozen=True)
class EmbeddedRedis:
    """A Redis server of our own: `socket` is where it listens, `folder` where it keeps its append-only file."""

    socket: Path
    folder: Path

    def command(self) -> list[str]:
        """The command line that runs it in the foreground. Raises RedisCannotStart where no server is installed."""
        options = {
            "port": "0",  # nothing listens on the network
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",  # the append-only file holds everything; snapshots beside it would only cost forks
            "maxmemory-policy": "noeviction",  # a queue must refuse rather than forget
            "daemonize": "no",
            "always-show-logo": "no",
            "loglevel": "warning",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [str(find_server()), *words]

    async def prepare(self) -> None:
        """Make its folders, and end a server left over on the socket, so that two never share one append-only file.

        Raises RedisCannotStart if the folders are not ours, or if what is left over cannot be ended.
        """
        find_server()
        make_private(self.folder)
        make_private(self.socket.parent)
        await self._end_leftover()

    async def is_ready(self) -> bool:
        """Whether it answers PING; while it still reads its append-only file it is not ready."""
        async with self._client() as client:
            try:
                return bool(await client.ping())
            except (RedisError, OSError):
                return False

    def tidy(self) -> None:
        """Once the server has ended: remove the folder that was made for the socket alone, if there was one."""
        if self.socket.parent != self.folder:
            with contextlib.suppress(OSError):
                self.socket.unlink(missing_ok=True)
                self.socket.parent.rmdir()

    async def _end_leftover(self) -> None:
        deadline = time.monotonic() + LEFTOVER_SECONDS
        while await self._listens():
            if time.monotonic() > deadline:
                raise RedisCannotStart(f"A Redis left over on {self.socket} does not end; end it by hand.")
            await self._shut_down()
            await asyncio.sleep(POLL_SECONDS)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(self.socket)
        except OSError:
            return False
        writer.close()
        return True

    async def _shut_down(self) -> None:
        async with self._client() as client:
            # The server answers by closing the connection; with an append-only file it writes that out first.
            with contextlib.suppress(RedisError, OSError):
                await client.shutdown(nosave=True)

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[Redis]:
        client = Redis(
            unix_socket_path=str(self.socket), socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS
        )
        try:
            yield client
        finally:
            await client.aclose()


def make_private(folder: Path) -> None:
    """Make sure that `folder` exists, is a real folder, is ours and is closed to everybody else.

    Whoever can reach the socket in it can do anything to the queue; and under the shared temporary folder somebody
    else may have put a folder or a link of that name there first. Raises RedisCannotStart if so.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=PRIVATE, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise RedisCannotStart(f"{folder} must be a folder of the user who starts QuickThumb; move it away.")
        folder.chmod(PRIVATE)
    except OSError as error:
        raise RedisCannotStart(f"{folder} cannot be used for Redis: {error.strerror or error}.") from error
