"""Making a suspicious picture in a process of its own, which can crash, hang or swell without harm to the worker."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from quickthumb.imaging.engine import Rendering
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.sandbox import exchange
from quickthumb.sandbox.errors import DecoderCrashed, JobTimedOut
from quickthumb.sandbox.exchange import Answer, Confinement, Request

# All that the child gets to know of its parent's environment: where libraries are, the language, a place for scraps.
KEPT_VARIABLES = ("DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
# What a decoder does to itself. Any other signal came from somebody else, and says nothing about the picture.
CRASHES = frozenset(
    int(getattr(signal, name))
    for name in ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP")
    if hasattr(signal, name)
)
CLOCKS = frozenset(int(getattr(signal, name)) for name in ("SIGALRM", "SIGXCPU") if hasattr(signal, name))


class QuarantineFailed(Exception):
    """The child ended without an answer, for a reason that is not known to lie in the picture."""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Where pictures are made that may be poisonous. `seconds` and `memory_bytes` are the most that one may take."""

    seconds: float
    memory_bytes: int

    def render(self, source: Path, outputs: Sequence[Output], folder: Path, limits: Limits) -> Rendering:
        """Does what the engine's `render` does, in a child process; returns when nothing of it is left.

        Raises what the engine raises, and DecoderCrashed, MemoryExceeded or JobTimedOut when the child came to harm;
        QuarantineFailed when it ended otherwise.
        """
        written = tuple(output.model_dump(mode="json", exclude_defaults=True) for output in outputs)
        request = Request(source=source, folder=folder, limits=limits, outputs=written)
        with self._child() as child, _ending(child, self.seconds) as ended_by_clock:
            answer = _exchange(child, request.model_dump_json().encode())
        if ended_by_clock.is_set() or -child.returncode in CLOCKS:
            raise JobTimedOut(f"It took longer than {self.seconds:g} s.")
        if -child.returncode in CRASHES:
            raise DecoderCrashed(f"The decoder crashed (signal {-child.returncode}).")
        if child.returncode != 0:
            raise QuarantineFailed(f"the quarantined process ended with {child.returncode}")
        return _result(answer)

    @contextmanager
    def _child(self) -> "Iterator[subprocess.Popen[bytes]]":
        confinement = Confinement(parent_pid=os.getpid(), memory_bytes=self.memory_bytes, wall_seconds=self.seconds)
        # -P: its modules are found where this process finds its own, and not in the folder where it happens to be.
        words = [sys.executable, "-P", "-m", "quickthumb.sandbox.child", confinement.model_dump_json()]
        child = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,
        )
        try:
            yield child
        finally:
            _kill(child)
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(str(Path(folder).absolute()) for folder in sys.path)}


@contextmanager
def _ending(child: "subprocess.Popen[bytes]", seconds: float) -> Iterator[threading.Event]:
    """Kills the child when the time is up, and then sets the event."""
    ended_by_clock = threading.Event()

    def end() -> None:
        ended_by_clock.set()
        _kill(child)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield ended_by_clock
    finally:
        timer.cancel()


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """Ends it and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
        if sys.platform == "win32":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL)


def _exchange(child: "subprocess.Popen[bytes]", request: bytes) -> bytes:
    assert child.stdin is not None  # noqa: S101 - both are pipes
    assert child.stdout is not None  # noqa: S101
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(request)
        child.stdin.close()
    answer = child.stdout.read(exchange.LONGEST_ANSWER_BYTES)
    child.wait()
    return answer


def _result(data: bytes) -> Rendering:
    try:
        answer = Answer.model_validate_json(data)
    except ValidationError as error:
        raise QuarantineFailed("the quarantined process gave an answer that makes no sense") from error
    if answer.refusal is not None:
        raise answer.refusal.error()
    if answer.machine_errno is not None:
        raise OSError(answer.machine_errno, os.strerror(answer.machine_errno))
    if answer.rendering is None:
        raise QuarantineFailed("the quarantined process gave no answer")
    return answer.rendering
