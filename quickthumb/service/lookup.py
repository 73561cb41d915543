"""Finding a job by what a client calls its id."""

from quickthumb.model.ids import is_id
from quickthumb.model.job import Job
from quickthumb.queue.jobs import JobStore
from quickthumb.service.errors import UnknownJob


async def find_job(store: JobStore, job_id: str) -> Job:
    """The job as it stands. Raises UnknownJob, also for what could be no id."""
    job = await store.get(job_id) if is_id(job_id) else None
    if job is None:
        raise UnknownJob("There is no job with this id; it may have expired.")
    return job
