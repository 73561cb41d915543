"""The verb that changes when a job is served that waits: its priority, and the moment at which it may begin.

The record of a job never changes. Each change is a small object beside it, with a number of its own, which exactly one
request can create. It is stored before Redis hears of it, so a Redis that loses everything gets the last change back.
"""

from quickthumb.model.caller import Caller
from quickthumb.model.job import Change, Job, Status, now
from quickthumb.model.schedule import ScheduleChange, due_at
from quickthumb.queue.jobs import JobStore
from quickthumb.service.errors import NotWaiting
from quickthumb.service.tenancy import find_job
from quickthumb.storage import Storage
from quickthumb.storage.layout import change_key

# A job may be changed so often; each change stays in the storage as long as the job.
MOST_CHANGES = 100


async def reschedule(store: JobStore, storage: Storage, caller: Caller, job_id: str, change: ScheduleChange) -> Job:
    """Changes a job that is WAITING. Of several requests at the same time, the one that is stored last stands.

    Raises UnknownJob; NotWaiting when the job is not WAITING or was changed MOST_CHANGES times; and the errors of the
    storage and of Redis. After an error, the change may be made all the same, as soon as Redis is rebuilt.
    """
    job = await find_job(store, caller, job_id)
    _check(job)
    stored = await _stored(storage, job, change)
    is_waiting = await store.amend(job_id, stored, reschedules=change.reschedules)
    if await storage.was_removed(job_id):
        # The job was removed in the meantime, so the change that was just written must be removed, too.
        await storage.remove(job_id)
    job = await find_job(store, caller, job_id)
    if not is_waiting:
        _check(job)
        raise NotWaiting("The job's status changed in the meantime.")
    return job


def _check(job: Job) -> None:
    if job.status is not Status.WAITING:
        raise NotWaiting(f"Only a WAITING job can be changed; this job is {job.status}.")


async def _stored(storage: Storage, job: Job, change: ScheduleChange) -> Change:
    """Stores the change under the next number that is free. Redis may not know of a change that was just made."""
    run_at = due_at(change.delay, change.run_at, now()) if change.reschedules else job.run_at
    for number in range(job.changes + 1, MOST_CHANGES + 1):
        made = Change(changes=number, priority=change.priority or job.priority, run_at=run_at)
        if await storage.put(change_key(job.id, number), made.model_dump_json().encode()):
            return made
    raise NotWaiting(f"The job was changed {MOST_CHANGES} times already.")
