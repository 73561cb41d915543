"""What the load generator is asked to do, what it measures, and how the benchmark talks to it."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Load:
    """Uploads of one photo by several uploaders at once; or requests for one `path`, if it is given.

    `done` and `failed` are text that the answer to a poll has once the job has ended so; without `done`, nobody polls.
    Pauses between polls grow from the first to the longest by the factor `poll_growth`. Nothing more is sent after
    `longest_seconds`. Meanwhile, a number of `watchers` ask for `watched_path` once a second, each over a connection of
    its own.
    """

    port: int
    photo: str
    images: int
    done: str = ""
    failed: str = ""
    path: str = ""
    fields: Sequence[tuple[str, str]] = ()
    uploaders: int = 8
    longest_seconds: float = 120.0
    first_poll_seconds: float = 0.01
    poll_growth: float = 1.5
    longest_poll_seconds: float = 0.1
    pause_seconds: float = 0.0
    watchers: int = 0
    watched_path: str = ""


@dataclass(slots=True)
class Measured:
    """Times as the uploaders saw them: of each upload until its answer, and until its job had ended; and of
    the requests of the watchers. `last_id` is the job of the last upload."""

    seconds: float = 0.0
    upload_seconds: list[float] = field(default_factory=list)
    done_seconds: list[float] = field(default_factory=list)
    polls: int = 0
    watched_seconds: list[float] = field(default_factory=list)
    last_id: str = ""
    generator_cpu_seconds: float = 0.0


class LoadFailed(Exception):
    """A stack refused an upload, failed a job or closed a connection."""


class Generator:
    """The generator's process. It lives as long as the benchmark."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, load: Load) -> Measured:
        """Runs the load to its end. Raises LoadFailed if any upload or job did not end well."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(load)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise LoadFailed("the load generator has died")
        answer = json.loads(line)
        if "error" in answer:
            raise LoadFailed(answer["error"])
        return Measured(**answer)


@contextlib.contextmanager
def generator() -> Iterator[Generator]:
    """Starts the generator, and ends it."""
    words = [sys.executable, "-m", "benchmarks.generator"]
    process = subprocess.Popen(
        words, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield Generator(process)
    finally:
        process.kill()
        process.communicate()
