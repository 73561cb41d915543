"""Finding a job by what a client calls its id."""

from quickthumb.errors import UnknownJob
from quickthumb.jobs.model import Job, is_id
from quickthumb.jobs.store import JobStore


async def find_job(store: JobStore, job_id: str) -> Job:
    """The job as it stands. Raises UnknownJob, also for what could be no id."""
    job = await store.get(job_id) if is_id(job_id) else None
    if job is None:
        raise UnknownJob("There is no job with this id; it may have expired.")
    return job
