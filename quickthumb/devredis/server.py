"""The embedded Redis server: its command line, its private folders, its readiness, and shutting down an old one."""

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

from quickthumb.devredis.binary import RedisCannotStart, Server, find_server
from quickthumb.devredis.writer import note_writer, writer_of

ANSWER_SECONDS = 2.0
OLD_SERVER_SECONDS = 30.0
POLL_SECONDS = 0.02
PRIVATE = 0o700
# All that a client may do: what QuickThumb needs, and looking at the data. Not what only attacks on the server need:
# changing its settings or its users, loading modules, copying it elsewhere, debugging it, loading serialized values.
RIGHTS = ("~*", "&*", "+@all", "-@admin", "-restore", "-migrate", "+shutdown", "+config|get")


@dataclass(frozen=True)
class EmbeddedRedis:
    """A private Redis server: it listens on `socket`, and keeps its append-only file in `folder`."""

    socket: Path
    folder: Path

    def server(self) -> Server:
        """The program that runs it. Raises RedisCannotStart if there is none, or none that reads the files."""
        return find_server(writer_of(self.folder))

    def command(self) -> list[str]:
        """The command line that runs it in the foreground. Raises what `server` raises."""
        options = {
            "port": "0",  # do not listen on the network
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",  # no snapshots: the append-only file holds everything, and each snapshot would cost a fork
            "maxmemory-policy": "noeviction",  # a queue must refuse writes rather than evict entries
            # Keep a job's record as one block, which takes a third less memory. Redis 6 knows only this older name.
            "hash-max-ziplist-value": "4096",
            "daemonize": "no",
            "always-show-logo": "no",
            "loglevel": "warning",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [str(self.server().path), *words, "--user", "default", "on", "nopass", *RIGHTS]

    async def prepare(self) -> Server:
        """Create its folders, and shut down any old server on the socket: two must never share an append-only file.
        Returns the program that is about to run it.

        Raises what `server` raises, and RedisCannotStart if another user owns a folder, or if the old server does not
        shut down.
        """
        server = self.server()
        make_private(self.folder)
        make_private(self.socket.parent)
        await self._shut_down_old_server()
        note_writer(self.folder, server.release)
        return server

    async def is_ready(self) -> bool:
        """Whether it answers PING. It is not ready while it loads its append-only file."""
        async with self._client() as client:
            try:
                return bool(await client.ping())
            except (RedisError, OSError):
                return False

    def tidy(self) -> None:
        """Remove the socket's own folder, if it has one. Call this after the server has stopped."""
        if self.socket.parent != self.folder:
            with contextlib.suppress(OSError):
                self.socket.unlink(missing_ok=True)
                self.socket.parent.rmdir()

    async def _shut_down_old_server(self) -> None:
        deadline = time.monotonic() + OLD_SERVER_SECONDS
        while await self._listens():
            if time.monotonic() > deadline:
                raise RedisCannotStart(f"An old Redis on {self.socket} does not shut down; stop it by hand.")
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
            # The server writes its append-only file out, then closes the connection instead of answering.
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
    """Make sure that `folder` is a real folder, that this process's user owns it, and that nobody else may enter it.

    Anyone who reaches the socket in it controls the queue. In a shared temporary folder, another user may have created
    a folder or a link of that name first; then this raises RedisCannotStart.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=PRIVATE, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise RedisCannotStart(
                f"{folder} must be a folder owned by the user who runs QuickThumb; move it out of the way."
            )
        folder.chmod(PRIVATE)
    except OSError as error:
        raise RedisCannotStart(f"Redis cannot use the folder {folder}: {error.strerror or error}.") from error
