"""One real process under test: started with a log of its own, sent real signals, and never left behind."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from quickthumb.cli import tether
from tests.conftest import CHECKOUT

END_SECONDS = 60.0


class Process:
    """A command that can be started, ended in any way, and started again. All its lives write to one log."""

    def __init__(self, name: str, words: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._words = [*_tethered(), *words]
        self._environment = {**environment, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def said(self) -> str:
        """All that it has printed, over all its lives."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    async def start(self) -> None:
        assert not self.alive, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._words,
                cwd=self.log.parent,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None, f"{self.name} was never started"
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL to the process alone, as the kernel's memory killer would; what it started has to notice."""
        self.send(signal.SIGKILL)
        await self.ended()

    async def terminate(self) -> int:
        """SIGTERM; the exit code once it has ended."""
        self.send(signal.SIGTERM)
        return await self.ended()

    async def ended(self, seconds: float = END_SECONDS) -> int:
        """The exit code, once it has ended by itself or by a signal."""
        assert self._process is not None, f"{self.name} was never started"
        async with asyncio.timeout(seconds):
            return await self._process.wait()

    async def clear_away(self) -> None:
        """Ends it and whatever shares its group, whatever state they are in."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self.ended()


def processes_with(variable: str, value: str) -> list[psutil.Process]:
    """Every running process that was handed `variable` with this value: what a test started, however deep."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(variable) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _tethered() -> list[str]:
    """Even when the tests themselves are killed, nothing stays behind."""
    if sys.platform != "linux":
        return []
    return [sys.executable, "-I", "-S", str(Path(tether.__file__)), str(os.getpid())]
