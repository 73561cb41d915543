"""The worker's side of the sandbox process, which may crash, hang or exhaust its memory without harming the worker."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from quickthumb.imaging.engine import Rendering
from quickthumb.imaging.files import NoRoom
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.sandbox.errors import DecoderCrashed, JobTimedOut
from quickthumb.sandbox.protocol import LONGEST_ANSWER_BYTES, Answer, Confinement, Request
from quickthumb.sandbox.threads import Stop

# The only environment variables that the child inherits: library paths, the locale, the folder for temporary files.
KEPT_VARIABLES = ("DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
# Landlock and seccomp confine the thread that asks for them, so there must be no other. NumPy, which the decoder of
# JPEG XL loads, starts one for each further core.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
# Signals that a crashing decoder causes itself. Any other signal came from outside and says nothing about the image.
CRASHES = frozenset(
    int(getattr(signal, name))
    for name in ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP")
    if hasattr(signal, name)
)
# Signals of the child's own time limits.
CLOCKS = frozenset(int(getattr(signal, name)) for name in ("SIGALRM", "SIGXCPU") if hasattr(signal, name))


class SandboxFailed(Exception):
    """The child ended without a usable answer, and nothing indicates that the image is the cause."""


@dataclass(frozen=True, slots=True)
class SandboxProcess:
    """Renders images that may be hostile. One image may take at most `seconds` and `memory_bytes`. `pids` are those of
    the processes that run now."""

    seconds: float
    memory_bytes: int
    pids: set[int] = field(default_factory=set, compare=False)

    def render(
        self,
        source: Path,
        outputs: Sequence[Output],
        folder: Path,
        limits: Limits,
        stop: Stop | None = None,
        *,
        keeps_label: bool = True,
    ) -> Rendering:
        """Does what the engine's `render` does, in a child process. On return, it and all it started have ended.

        Raises what the engine raises; DecoderCrashed, MemoryExceeded or JobTimedOut if the child crashed or exceeded a
        limit; Stopped, at once, if `stop` is asked; SandboxFailed if the child ended in any other way.
        """
        stop = stop or Stop()
        stop.check()
        written = tuple(output.model_dump(mode="json", exclude_defaults=True) for output in outputs)
        request = Request(source=source, folder=folder, limits=limits, outputs=written, keeps_label=keeps_label)
        with (
            self._child() as child,
            _killed_after(child, self.seconds) as timed_out,
            stop.calling(partial(_kill, child)),
        ):
            answer = _exchange(child, request.model_dump_json().encode())
        stop.check()
        if timed_out.is_set() or -child.returncode in CLOCKS:
            raise JobTimedOut(f"Processing took longer than {self.seconds:g} s.")
        if -child.returncode in CRASHES:
            raise DecoderCrashed(f"The decoder crashed (signal {-child.returncode}).")
        if child.returncode != 0:
            raise SandboxFailed(f"the sandbox process exited with {child.returncode}")
        return _result(answer)

    @contextmanager
    def _child(self) -> "Iterator[subprocess.Popen[bytes]]":
        confinement = Confinement(parent_pid=os.getpid(), memory_bytes=self.memory_bytes, wall_seconds=self.seconds)
        # -P: the child must find its modules where this process finds its own, not in the current folder.
        words = [sys.executable, "-P", "-m", "quickthumb.sandbox.child", confinement.model_dump_json()]
        child = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,
        )
        self.pids.add(child.pid)
        try:
            yield child
        finally:
            self.pids.discard(child.pid)
            _kill(child)
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {**kept, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(str(Path(folder).absolute()) for folder in sys.path)}


@contextmanager
def _killed_after(child: "subprocess.Popen[bytes]", seconds: float) -> Iterator[threading.Event]:
    """Sets the event and kills the child if the block takes longer than `seconds`."""
    timed_out = threading.Event()

    def end() -> None:
        timed_out.set()
        _kill(child)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield timed_out
    finally:
        timer.cancel()
        timer.join()


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """Kills the child and every process that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
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
    answer = child.stdout.read(LONGEST_ANSWER_BYTES)
    _wait_for_end(child)
    return answer


def _wait_for_end(child: "subprocess.Popen[bytes]") -> None:
    """Waits until the child has ended. Where the system allows, the child is not reaped yet: while its pid stays taken,
    its process group can still be killed safely."""
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    else:
        child.wait()


def _refused(answer: Answer) -> Exception:
    try:
        return answer.refusal.error() if answer.refusal else SandboxFailed("the sandbox process gave no answer")
    except ValueError as error:
        return SandboxFailed(f"the sandbox process gave an answer that cannot be trusted: {error}")


def _result(data: bytes) -> Rendering:
    try:
        answer = Answer.model_validate_json(data)
    except ValidationError as error:
        raise SandboxFailed("the sandbox process sent an unreadable answer") from error
    if answer.refusal is not None:
        raise _refused(answer)
    if answer.needed_bytes is not None:
        raise NoRoom(answer.needed_bytes)
    if answer.machine_errno is not None:
        raise OSError(answer.machine_errno, os.strerror(answer.machine_errno))
    if answer.rendering is None:
        raise SandboxFailed("the sandbox process sent no answer")
    return answer.rendering
