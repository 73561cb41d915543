"""The judgement on a mixed load: beside every job, every event was delivered, every batch is whole, and jobs that share
results do not need each other."""

from collections import defaultdict
from collections.abc import Iterable

import httpx

from tests.chaos.batches import fault_of
from tests.chaos.fleet import Fleet
from tests.chaos.hook import Hook
from tests.chaos.mixed import Load
from tests.chaos.report import Report
from tests.chaos.uploads import Way
from tests.chaos.verdict import Ended, all_jobs, judge
from tests.waiting import wait_until

# More than half a minute, for which a worker leaves a receiver alone that failed too often.
DELIVERED_SECONDS = 100.0


async def judge_load(fleet: Fleet, load: Load, report: Report, *, seconds: float = 60) -> list[Ended]:
    """Judges every job as `judge` does, then all else. Notes all in the report and fails if it must."""
    report.by_way.update(sent.way.value for sent in load.stream.accepted)
    for server in (load.everything, load.own, load.shelf):
        server.note(report)
    ended = await judge(fleet, load.stream, report, seconds=seconds)
    await _judge_deliveries(fleet, load, report)
    await _judge_batches(fleet, load, report)
    await _judge_twins(fleet, ended, report)
    return ended


async def _judge_deliveries(fleet: Fleet, load: Load, report: Report) -> None:
    """Of every job, even of an upload without answer, one webhook is told; of some, another one as well."""
    every = set(await all_jobs(fleet))
    own = {sent.job_id for sent in load.stream.accepted if sent.way is Way.HOOK}
    lost = await _lost([(load.everything, every), (load.own, own)])
    unsettled = [] if lost else await _unsettled(fleet, own)
    faults = [*load.everything.forged, *load.own.forged, *_wrongly_told(load.everything), *_wrongly_told(load.own)]
    taken = sum(len(events) for hook in (load.everything, load.own) for events in hook.taken.values())
    told = sum(len(hook.taken) for hook in (load.everything, load.own))
    owed = len(every) + len(own)
    counts = {"owed": owed, "delivered": owed - len(lost), "lost": len(lost), "wrong": len(faults)}
    report.deliveries.update({**counts, "taken again": taken - told})
    assert not lost, f"never told of: {lost}"
    assert not faults, f"told wrongly: {faults}"
    assert not unsettled, f"not known to be delivered: {unsettled}"


async def _lost(owed: list[tuple[Hook, set[str]]]) -> list[str]:
    """Of which jobs a receiver is not told, however long one waits."""

    def not_told() -> list[str]:
        return [job_id for hook, job_ids in owed for job_id in job_ids - set(hook.taken)]

    try:
        await wait_until(lambda: not not_told(), seconds=DELIVERED_SECONDS)
    except AssertionError:
        return not_told()
    return []


def _wrongly_told(hook: Hook) -> Iterable[str]:
    """Every message about a job is the same, under one name, and says how the job ended."""
    for job_id, events in hook.taken.items():
        told = {(event["type"], event["data"]["status"]) for event in events}
        if told != {("job.done", "DONE")} or len(hook.names[job_id]) != 1:
            yield f"{job_id}: {told} under {hook.names[job_id]}"


async def _unsettled(fleet: Fleet, job_ids: set[str]) -> list[str]:
    """The deliveries of these jobs that the service does not call DONE in the end."""
    waiting = set(job_ids)

    async def all_are_done() -> bool:
        for job_id in list(waiting):
            answer = await fleet.client.get(f"/jobs/{job_id}/deliveries")
            found = answer.json()["deliveries"] if answer.status_code == httpx.codes.OK else []
            if len(found) == 2 and all(one["status"] == "DONE" for one in found):
                waiting.remove(job_id)
        return not waiting

    try:
        await wait_until(all_are_done, seconds=DELIVERED_SECONDS)
    except AssertionError:
        return sorted(waiting)
    return []


async def _judge_batches(fleet: Fleet, load: Load, report: Report) -> None:
    faults = [fault for batch in load.batches.values() if (fault := await fault_of(fleet, batch))]
    whole = sum(batch.is_complete for batch in load.batches.values())
    counts = {"answered": len(load.batches), "cut off": len(load.batches) - whole, "wrong": len(faults)}
    report.batches.update(counts)
    assert not faults, f"batches: {faults}"


async def _judge_twins(fleet: Fleet, ended: list[Ended], report: Report) -> None:
    """Removes one job of each picture that was sent again and again: that leaves the others what they have."""
    by_source: dict[str, dict[str, Ended]] = defaultdict(dict)
    for end in ended:
        if end.upload.way is Way.TWIN:
            by_source[end.upload.picture.sha256][end.job["id"]] = end
    for twins in by_source.values():
        first, *others = twins.values()
        removed = await fleet.client.delete(f"/jobs/{first.job['id']}")
        assert removed.status_code == httpx.codes.NO_CONTENT, removed.text
        for end in others:
            result = await fleet.client.get(end.job["results"]["thumbnail"]["url"])
            assert result.status_code == httpx.codes.OK, f"{end.job['id']} lost its result with {first.job['id']}"
            assert end.upload.picture.fault_of("thumbnail", result.content) is None
        report.twins.update({"removed": 1, "kept by others": len(others)})
        report.twins["taken over"] += sum(end.job["deduplicated"] for end in twins.values())
        report.twins["rendered"] += sum(not end.job["deduplicated"] for end in twins.values())
