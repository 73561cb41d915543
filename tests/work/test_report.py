"""What a worker says of itself: what it runs, what it has done, and that it is paused."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from quickthumb import __version__
from quickthumb.model.job import Status, now
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.workers import Running
from quickthumb.sandbox.process import SandboxProcess
from quickthumb.sandbox.threads import DaemonThreads
from quickthumb.storage import FileStorage
from quickthumb.work.report import reporter
from quickthumb.work.runner import Runner
from tests.work.test_runner import Held, Worker, accepted


@pytest.fixture
def threads() -> Iterator[DaemonThreads]:
    threads = DaemonThreads(2, lambda: None)
    yield threads
    threads.close()


async def test_it_names_what_runs_and_counts_what_is_done(
    store: JobStore, attempts: Attempts, storage: FileStorage, threads: DaemonThreads
) -> None:
    render = Held()
    worker = Worker(store, attempts, storage, render)
    report = reporter(worker.runner, threads, SandboxProcess(1.0, 1), lambda: None)
    idle = report()
    assert (idle.pid, idle.version, idle.host) == (os.getpid(), __version__, os.uname().nodename)
    assert (idle.threads, idle.busy, idle.stuck, idle.jobs_done) == (3, 0, 0, 0)
    assert (idle.running, idle.paused_for) == ((), None)
    assert idle.started_at == pytest.approx(now().timestamp(), abs=10)
    job = await accepted(store, storage)
    run = asyncio.create_task(worker.run(job.id))
    await render.begun.wait()
    (running,) = report().running
    assert running == Running("job", job.id, 1, running.since)
    found = await store.get(job.id)
    assert found is not None
    assert found.started_at is not None
    assert running.since == found.started_at.timestamp()
    render.go_on.set()
    await run
    assert (report().running, report().jobs_done) == ((), 1)
    found = await store.get(job.id)
    assert found is not None
    assert found.status is Status.DONE


async def test_it_says_why_the_worker_is_paused(attempts: Attempts, threads: DaemonThreads) -> None:
    runner = Runner(attempts, lease_seconds=5)
    assert (
        reporter(runner, threads, SandboxProcess(1.0, 1), lambda: "The disk is full.")().paused_for
        == "The disk is full."
    )
