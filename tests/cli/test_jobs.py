"""`quickthumb jobs`, against a real Redis and a real folder."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb.cli import main
from quickthumb.model.job import Job, Status
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.connection import connect
from quickthumb.queue.jobs import JobStore
from quickthumb.storage import FileStorage
from tests.cli.test_program import assert_one_sentence, quickthumb
from tests.redis_fixtures import RETENTION_SECONDS, redis_url, shared_redis
from tests.service.test_bulk import accepted, failed, statuses

__all__ = ["redis_url", "shared_redis"]

NO_JOB = "0" * 32


class Site:
    """Three jobs, two of which failed: one is an hour old, two are new."""

    def __init__(
        self, store: JobStore, storage: FileStorage, jobs: list[Job], output: pytest.CaptureFixture[str]
    ) -> None:
        self.jobs = jobs
        self._store = store
        self._storage = storage
        self._output = output

    async def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs the command in a thread: a process of its own would take longer to start than to run."""
        code = await asyncio.to_thread(main, ["jobs", *words])
        said = self._output.readouterr()
        return subprocess.CompletedProcess(words, code, said.out, said.err)

    async def add_tagged(self, tag: str) -> Job:
        """Another job, which has the tag and waits."""
        (job,) = await accepted(self._store, self._storage, 0, order={"outputs": [], "tag": [tag]})
        return job

    async def statuses(self) -> list[Status | None]:
        return await statuses(self._store, self.jobs)


@pytest.fixture
async def site(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Site]:
    monkeypatch.setenv("QUICKTHUMB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("QUICKTHUMB_REDIS_URL", redis_url)
    storage = FileStorage(tmp_path)
    await storage.identity()
    async with connect(redis_url, Redis, attempts=1, answer_seconds=3.0) as client:
        store, attempts = JobStore(client, retention_seconds=RETENTION_SECONDS), Attempts(client)
        jobs = await accepted(store, storage, 3600, 1, 0)
        for job in jobs[:2]:
            await failed(attempts, storage, job)
        yield Site(store, storage, jobs, capsys)


async def test_jobs_are_listed_and_shown(site: Site) -> None:
    lines = (await site.run("list")).stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [site.jobs[2].id, "WAITING"],
        [site.jobs[1].id, "FAILED"],
        [site.jobs[0].id, "FAILED"],
    ]
    assert lines[1].endswith("cat.jpg  broken_image: It ends too early.")
    found = json.loads((await site.run("list", "--status", "failed", "--older-than", "10m", "--json")).stdout)
    assert [job["id"] for job in found] == [site.jobs[0].id]
    shown = json.loads((await site.run("show", site.jobs[1].id, "--json")).stdout)
    assert (shown["id"], shown["error"]["code"], shown["attempts"]) == (site.jobs[1].id, "broken_image", 1)


async def test_jobs_are_found_by_tag(site: Site) -> None:
    job = await site.add_tagged("catalog/2026")
    found = json.loads((await site.run("list", "--tag", "catalog/2026", "--json")).stdout)
    assert [one["id"] for one in found] == [job.id]
    assert (await site.run("list", "--tag", "catalog/2025")).stdout == "No jobs.\n"
    assert (await site.run("cancel", "--tag", "catalog/2026")).stdout == "1 jobs cancelled.\n"
    assert (await site.run("purge", "--tag", "catalog/2026")).stdout == "1 jobs removed.\n"
    assert await site.statuses() == [Status.FAILED, Status.FAILED, Status.WAITING]
    with pytest.raises(SystemExit, match="2"):
        await site.run("list", "--tag", "two words")


async def test_failed_jobs_are_retried_by_age(site: Site) -> None:
    assert (await site.run("retry", "--older-than", "10m")).stdout == "1 jobs queued again.\n"
    assert await site.statuses() == [Status.WAITING, Status.FAILED, Status.WAITING]


async def test_jobs_are_cancelled_by_status_and_removed_by_age(site: Site) -> None:
    assert json.loads((await site.run("cancel", "--status", "WAITING", "--json")).stdout) == {"count": 1, "skipped": {}}
    assert await site.statuses() == [Status.FAILED, Status.FAILED, Status.CANCELLED]
    assert (await site.run("purge", "--older-than", "10m")).stdout == "1 jobs removed.\n"
    assert await site.statuses() == [None, Status.FAILED, Status.CANCELLED]


async def test_jobs_are_changed_by_their_ids_and_what_cannot_be_is_told(site: Site) -> None:
    ended = await site.run("retry", site.jobs[1].id, NO_JOB, site.jobs[2].id)
    assert ended.stdout == f"{site.jobs[1].id} queued again\n"
    assert ended.returncode == 1
    assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == [NO_JOB, site.jobs[2].id]
    assert await site.statuses() == [Status.FAILED, Status.WAITING, Status.WAITING]


async def test_nothing_is_changed_without_saying_which(site: Site) -> None:
    before = await site.statuses()
    for verb in ("retry", "purge"):
        assert_one_sentence((await site.run(verb)), "Say which jobs")
    assert_one_sentence((await site.run("retry", "--status", "DONE")), "FAILED")
    assert_one_sentence((await site.run("show", NO_JOB)), "There is no job with this id")
    with pytest.raises(SystemExit, match="2"):
        await site.run("purge", "--older-than", "week")
    assert await site.statuses() == before


def test_without_redis_it_says_which_one_it_looked_for(tmp_path: Path) -> None:
    url = "redis://user:secret@127.0.0.1:1/2"
    ended = quickthumb("jobs", "list", QUICKTHUMB_DATA_DIR=str(tmp_path), QUICKTHUMB_REDIS_URL=url)
    assert_one_sentence(ended, "queue", "127.0.0.1:1/2")
    assert "secret" not in ended.stderr
