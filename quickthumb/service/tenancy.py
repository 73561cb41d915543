"""Whose jobs are whose. A caller sees and changes the jobs of their tenant; those of others do not exist for them."""

from quickthumb.model.caller import DEFAULT_TENANT, Caller
from quickthumb.model.job import Job, is_id
from quickthumb.queue.jobs import JobStore
from quickthumb.service.errors import UnknownJob


def owns(caller: Caller, job: Job) -> bool:
    """Whether the job belongs to the caller's tenant."""
    return job.tenant == caller.tenant


def unknown_job() -> UnknownJob:
    """The refusal of an id that leads to none of the caller's jobs, whether or not it leads to another tenant's."""
    return UnknownJob("There is no job with this id; it may have expired.")


async def find_job(store: JobStore, caller: Caller, job_id: str) -> Job:
    """The caller's job as it stands. Raises UnknownJob, also for a text that cannot be an id."""
    job = await store.get(job_id) if is_id(job_id) else None
    if job is None or not owns(caller, job):
        raise unknown_job()
    return job


def key_of_tenant(caller: Caller, idempotency_key: str) -> str:
    """The Idempotency-Key as it is looked up: each tenant has keys of their own.

    The default tenant's are unchanged, so that those which earlier releases kept still count. A key arrives in a
    header, which cannot hold a line break, so no key of one tenant can look like another's.
    """
    return idempotency_key if caller.tenant == DEFAULT_TENANT else f"{caller.tenant}\n{idempotency_key}"
