"""What a worker says of itself with each heartbeat."""

import os
import platform
import time
from collections.abc import Callable

from quickthumb import __version__
from quickthumb.queue.attempts import Attempt
from quickthumb.queue.keys import JOB
from quickthumb.queue.workers import Report, Running
from quickthumb.sandbox.footprint import resident_bytes
from quickthumb.sandbox.process import SandboxProcess
from quickthumb.sandbox.threads import DaemonThreads
from quickthumb.work.runner import Runner


def reporter(
    runner: Runner, threads: DaemonThreads, sandbox: SandboxProcess, why_paused: Callable[[], str | None]
) -> Callable[[], Report]:
    """A function that looks at the worker, in some ten microseconds. `why_paused` says why it takes no jobs, without
    paths: others than operators may see the report."""
    host, pid, started_at = platform.node(), os.getpid(), time.time()

    def report() -> Report:
        stuck = threads.abandoned
        return Report(
            host=host,
            pid=pid,
            version=__version__,
            started_at=started_at,
            threads=threads.most,
            busy=max(0, threads.busy - stuck),
            stuck=stuck,
            memory_bytes=resident_bytes(tuple(sandbox.pids)),
            jobs_done=runner.done[JOB.name],
            running=tuple(map(_running, runner.running)),
            paused_for=why_paused(),
        )

    return report


def _running(attempt: Attempt) -> Running:
    # The claim that makes the attempt writes the moment into its record.
    started_ms = int(attempt.fields.get(b"started_ms", 0))
    return Running(attempt.kind.name, attempt.id, attempt.number, started_ms / 1000)
