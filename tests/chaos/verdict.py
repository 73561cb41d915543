"""The judgement after the chaos: every accepted job DONE with its own results, and nothing left of any other upload."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from tests.chaos.fleet import Fleet
from tests.chaos.report import Fault, Report
from tests.chaos.uploads import Kind, Stream, Upload
from tests.waiting import wait_until

LONGEST_WAIT_SECONDS = 20


@dataclass(frozen=True)
class Ended:
    """An accepted upload, and its job as it ended."""

    upload: Upload
    job: dict[str, Any]


async def judge(
    fleet: Fleet, stream: Stream, report: Report, *, seconds: float = 60, tidy_seconds: float = 60
) -> list[Ended]:
    """Waits for every accepted job to end and for leftovers to go; notes all in the report and fails if it must."""
    report.accepted += len(stream.accepted)
    report.refused.update(stream.refused())
    ended, lost = await _endings(fleet, stream.accepted, seconds)
    report.lost += len(lost)
    failed = [end for end in ended if end.job["status"] != "DONE"]
    report.failed += len(failed)
    report.done += len(ended) - len(failed)
    wrong = [fault for end in ended if end not in failed and (fault := await _fault_of(fleet, end))]
    report.wrong += len(wrong)
    left = await _leftovers_after(fleet, stream, tidy_seconds)
    report.leftovers += left
    assert not lost, f"lost: {lost}"
    assert not failed, f"FAILED: {[(end.job['id'], end.job['error']) for end in failed]}"
    assert not wrong, f"wrong results: {wrong}"
    assert not left, f"left behind: {left}"
    return ended


def recovery_seconds(fault: Fault, ended: Iterable[Ended]) -> float:
    """How long the fault was felt: until the first upload after it was accepted, and until all jobs that it could
    have hit had ended."""
    ended = list(ended)
    after = [end.upload.answered_at for end in ended if end.upload.sent_at >= fault.at]
    hit = [finished_at(end.job) for end in ended if end.upload.answered_at <= fault.at < finished_at(end.job)]
    return max([*([min(after)] if after else []), *hit], default=fault.at) - fault.at


def finished_at(job: dict[str, Any]) -> float:
    """The moment of the job's end, in seconds since the epoch."""
    return moment(job["finished_at"])


def moment(text: str) -> float:
    """A moment as the web writes it, in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


async def _endings(fleet: Fleet, accepted: list[Upload], seconds: float) -> tuple[list[Ended], list[str]]:
    deadline = time.monotonic() + seconds
    ended, lost = [], []
    for upload in accepted:
        job = await _ending(fleet, upload.job_id, deadline)
        if job is not None and job["status"] in ("DONE", "FAILED", "CANCELLED"):
            ended.append(Ended(upload, job))
        else:
            lost.append(f"{upload.job_id}: {job['status'] if job else 'unknown'}")
    return ended, lost


async def _ending(fleet: Fleet, job_id: str, deadline: float) -> dict[str, Any] | None:
    """The job once it has ended, or as it is when the time is up. An unknown one may still be recovered."""
    job: list[dict[str, Any] | None] = [None]

    async def has_ended() -> bool:
        wait = int(min(LONGEST_WAIT_SECONDS, max(0, deadline - time.monotonic())))
        answer = await fleet.client.get(f"/jobs/{job_id}", params={"wait": wait})
        job[0] = answer.json() if answer.status_code == 200 else None
        return job[0] is not None and job[0]["status"] in ("DONE", "FAILED", "CANCELLED")

    try:
        await wait_until(has_ended, seconds=max(0.0, deadline - time.monotonic()))
    except AssertionError:
        return job[0]
    return job[0]


async def _fault_of(fleet: Fleet, end: Ended) -> str | None:
    """What is wrong with the results: they must all be there, be one set, and come from this job's own source."""
    job = end.job
    if job["source"]["sha256"] != end.upload.picture.sha256:
        return f"{job['id']}: the source is another's"
    if len(fleet.result_files(job["id"])) != len(job["results"]) + 1:
        return f"{job['id']}: not one set of results: {sorted(fleet.result_files(job['id']))}"
    for name, result in job["results"].items():
        answer = await fleet.client.get(result["url"])
        if answer.status_code != 200 or len(answer.content) != result["bytes"]:
            return f"{job['id']}: {name} answers {answer.status_code} with {len(answer.content)} bytes"
        if fault := end.upload.picture.fault_of(name, answer.content):
            return f"{job['id']}: {fault}"
    return None


async def _leftovers_after(fleet: Fleet, stream: Stream, seconds: float) -> list[str]:
    left: list[str] = []

    async def nothing_is_left() -> bool:
        left[:] = await leftovers(fleet, stream)
        return not left

    try:
        await wait_until(nothing_is_left, seconds=seconds)
    except AssertionError:
        return left
    return []


async def leftovers(fleet: Fleet, stream: Stream) -> list[str]:
    """Whatever is there and should not be, each as a line that says what and where."""
    jobs = await all_jobs(fleet)
    return [*_on_disk(fleet, set(jobs)), *_without_upload(jobs, stream)]


async def all_jobs(fleet: Fleet) -> dict[str, dict[str, Any]]:
    """Every job that the web lists, by id."""
    jobs: dict[str, dict[str, Any]] = {}
    address = "/jobs?limit=100"
    while address:
        page = (await fleet.client.get(address)).json()
        jobs.update((job["id"], job) for job in page["jobs"])
        address = page["next"]
    return jobs


def _on_disk(fleet: Fleet, jobs: set[str]) -> Iterable[str]:
    for area in ("uploads", "processed"):
        for folder in (fleet.data_dir / area).glob("[0-9a-f]*/*"):
            if folder.name not in jobs:
                yield f"{area}: the folder {folder.name} has no job"
    for folder in (fleet.data_dir / "uploads" / ".arriving").glob("*"):
        if _older_than(folder, psutil.Process(fleet.web.pid).create_time()):
            yield f".arriving: {folder.name} is older than the web process"
    for record in (fleet.data_dir / "uploads").glob("[0-9a-f]*/*/job.json"):
        if not _is_json(record):
            yield f"uploads: the record of {record.parent.name} is not whole"


def _older_than(path: Path, moment_: float) -> bool:
    try:
        return path.stat().st_mtime < moment_
    except FileNotFoundError:
        return False


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return True


def _without_upload(jobs: dict[str, dict[str, Any]], stream: Stream) -> Iterable[str]:
    by_source: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for job in jobs.values():
        by_source[job["source"]["sha256"]].append(job)
    for source, uploads in stream.by_source().items():
        made = by_source[source]
        kinds = [upload.kind for upload in uploads]
        if len(made) > _most_jobs(uploads):
            told = ", ".join(kind.value for kind in kinds)
            yield f"uploads of one picture ({told}) made {len(made)} jobs: {[job['id'] for job in made]}"
        for job in made:
            # No answer leaves the client in doubt; the service must not be: a job that is there runs to its end.
            if Kind.ACCEPTED not in kinds and job["status"] != "DONE":
                yield f"the job {job['id']} of an upload without answer is {job['status']}"


def _most_jobs(uploads: list[Upload]) -> int:
    accepted = {upload.job_id for upload in uploads if upload.kind is Kind.ACCEPTED}
    return len(accepted) + sum(upload.kind is Kind.BROKEN for upload in uploads)
