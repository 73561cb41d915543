"""A real Redis for tests: the embedded one, on a folder of the test's own.

    async with RedisServer(tmp_path) as server:
        client = Redis.from_url(server.url)

It can be killed, stopped and started again, and keeps its data over that.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Self

from quickthumb.config import Config
from quickthumb.devredis import EmbeddedRedis
from tests.waiting import wait_until


def unrestricted(command: list[str]) -> list[str]:
    """The command line of an embedded Redis whose clients may do everything: tests play its troubles that way."""
    return command[: command.index("--user")]


class RedisServer:
    """`url` is its address, good before it is started, and the same after a restart. `program` is another server.
    Its clients may do everything, unless it is `restricted` as in `quickthumb up`."""

    def __init__(self, data_dir: Path, program: Path | None = None, *, restricted: bool = False) -> None:
        self._program = program
        self._restricted = restricted
        config = Config.of(data_dir=data_dir)
        self.url = config.redis_connection_url
        self.embedded = EmbeddedRedis(socket=config.embedded_redis_socket, folder=config.storage.data_dir / "redis")
        self.process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        self.embedded.tidy()

    async def start(self) -> None:
        """Start it and wait until it answers; what it printed is told if it does not."""
        await self.embedded.prepare()
        command = self.embedded.command()
        found, *options = command if self._restricted else unrestricted(command)
        with tempfile.TemporaryFile() as log:
            process = await asyncio.create_subprocess_exec(self._program or found, *options, stdout=log, stderr=log)
            self.process = process

            async def answers_or_ended() -> bool:
                return process.returncode is not None or await self.embedded.is_ready()

            await wait_until(answers_or_ended, seconds=20)
            if process.returncode is not None:
                log.seek(0)
                raise AssertionError(f"Redis ended at once: {log.read().decode()}")

    async def stop(self) -> None:
        """End it in good order, as an operator would: SIGTERM."""
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()
        self.process = None

    async def kill(self) -> None:
        """End it as a crash would: SIGKILL."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        self.process = None
