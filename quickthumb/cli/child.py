"""A child process of the supervisor: what it is, how it is started, and how it is sent signals."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from quickthumb.cli import tether

LONGEST_LINE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Child:
    """One process to keep running.

    `grace_seconds` is how long it may take to end after SIGTERM. `is_ready`, where there is one, says when it has
    started; it is asked again and again, and must not raise. `log_prefix` matches what its lines begin with and the log
    says already, such as the time.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    grace_seconds: float
    is_ready: Callable[[], Awaitable[bool]] | None = None
    log_prefix: re.Pattern[str] | None = None


@dataclass(frozen=True)
class RunningChild:
    """A child that runs, and its output."""

    process: asyncio.subprocess.Process
    output: asyncio.StreamReader
    pipe: asyncio.BaseTransport

    @property
    def ended(self) -> bool:
        return self.process.returncode is not None

    def terminate(self) -> None:
        """Ask it to end."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    def kill_group(self) -> None:
        """End it and all that it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
            os.killpg(self.process.pid, signal.SIGKILL)


async def start(child: Child) -> RunningChild:
    """Start it in a session of its own, so that a Ctrl-C in the terminal reaches only the supervisor.

    Raises OSError if it cannot be started.
    """
    readable, writable = os.pipe()
    try:
        output, pipe = await _reader(readable)
        # A pipe of our own, since some Pythons' wait() does not return while a grandchild holds asyncio's open.
        process = await asyncio.create_subprocess_exec(
            *_tethered(child.argv),
            env=dict(child.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writable,
            stderr=writable,
            start_new_session=True,
        )
    finally:
        os.close(writable)
    return RunningChild(process, output, pipe)


async def lines(output: asyncio.StreamReader) -> AsyncIterator[str]:
    """The lines of a child's output, until it ends; an endless line comes in pieces."""
    rest = b""
    while data := await output.read(LONGEST_LINE_BYTES):
        *complete, rest = (rest + data).split(b"\n")
        if len(rest) > LONGEST_LINE_BYTES:
            complete, rest = [*complete, rest], b""
        for line in complete:
            yield _text(line)
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")


def _tethered(argv: Sequence[str]) -> Sequence[str]:
    if sys.platform != "linux":
        return argv
    return [sys.executable, "-I", "-S", str(Path(tether.__file__)), str(os.getpid()), *argv]


async def _reader(descriptor: int) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    reader = asyncio.StreamReader()
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader, pipe
