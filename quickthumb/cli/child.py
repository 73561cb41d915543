"""A child process of the supervisor: its definition, its start, its output and its signals."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quickthumb.cli import tether
from quickthumb.config.secrecy import handed_down

MAX_LINE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Child:
    """The definition of one process to keep running.

    It may take `grace_seconds` to exit after SIGTERM. The supervisor calls `is_ready` until it returns True; it must
    not raise, and without it the child is ready at once. `log_prefix` matches what to cut from the start of its log
    lines, such as the time, which the supervisor's log has already; lines that start with `noise` are left out. It gets
    the `secrets` through a pipe, not in its environment.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    grace_seconds: float
    is_ready: Callable[[], Awaitable[bool]] | None = None
    log_prefix: re.Pattern[str] | None = None
    noise: re.Pattern[str] | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class RunningChild:
    """A running child, and the pipe that carries its output."""

    process: asyncio.subprocess.Process
    output: asyncio.StreamReader
    pipe: asyncio.BaseTransport

    def terminate(self) -> None:
        """Send it SIGTERM."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    def kill_group(self) -> None:
        """Send SIGKILL to it and to everything it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
            os.killpg(self.process.pid, signal.SIGKILL)


async def start(child: Child) -> RunningChild:
    """Start the child in its own session, so that Ctrl-C in the terminal reaches only the supervisor.

    Raises OSError if it cannot start.
    """
    readable, writable = os.pipe()
    try:
        output, pipe = await _reader(readable)
        # Not asyncio's own pipe: in some Python versions, wait() does not return while a grandchild holds that open.
        with handed_down(child.secrets) as (descriptors, variables):
            process = await asyncio.create_subprocess_exec(
                *_tethered(child.argv),
                env={**child.environment, **variables},
                pass_fds=descriptors,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writable,
                stderr=writable,
                start_new_session=True,
            )
    finally:
        os.close(writable)
    return RunningChild(process, output, pipe)


async def lines(output: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield the lines of a child's output until its end. A line over MAX_LINE_BYTES comes in pieces."""
    rest = b""
    while data := await output.read(MAX_LINE_BYTES):
        *complete, rest = (rest + data).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
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
