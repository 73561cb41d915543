"""Runs groups of children: started in order, kept running, stopped in the reverse order."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from quickthumb.cli.child import Child
from quickthumb.cli.keeper import Keeper
from quickthumb.cli.log import Log

# A large append-only file takes its time to be read, a cold disk to import Python modules.
READY_SECONDS = 120.0


class Supervisor:
    """Keeps `groups` of children running. A group is started when all of the group before it are ready."""

    def __init__(self, groups: Sequence[Sequence[Child]], log: Log, announce: Callable[[], None]) -> None:
        self._groups = groups
        self._log = log
        self._announce = announce
        self._begun: list[list[Keeper]] = []
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()

    def stop(self) -> None:
        """Ask for an orderly end; asked a second time, for a quick one."""
        if self._stopping.is_set():
            self._hurry.set()
            return
        self._log.tell("stopping (once more Ctrl-C to hurry)")
        self._stopping.set()

    async def run(self) -> None:
        """Run until `stop()`; calls `announce` once all are ready. No process is left when it returns or raises.

        Raises NotStarted if a child does not come up the first time.
        """
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not self._stopping.is_set():
                starting.result()
            await stopping
        finally:
            stopping.cancel()
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await starting
            await self._end()

    async def _start(self) -> None:
        for group in self._groups:
            keepers = [Keeper(child, self._log, self._hurry) for child in group]
            self._begun.append(keepers)
            for keeper in keepers:
                keeper.begin()
            await asyncio.gather(*(keeper.until_ready(READY_SECONDS) for keeper in keepers))
        self._announce()

    async def _end(self) -> None:
        failures: list[BaseException] = []
        for keepers in reversed(self._begun):
            ends = await asyncio.gather(*(keeper.stop() for keeper in keepers), return_exceptions=True)
            failures.extend(end for end in ends if end is not None)
        if failures:
            raise failures[0]
