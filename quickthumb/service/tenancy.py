"""Which jobs belong to whom. Callers see and change only their tenant's jobs; to them, no other jobs exist."""

from quickthumb.model.caller import DEFAULT_TENANT, EVERY_TENANT, Caller
from quickthumb.model.job import Job, is_id
from quickthumb.queue.jobs import JobStore
from quickthumb.service.errors import UnknownJob


def owns(caller: Caller, job: Job) -> bool:
    """Whether the job belongs to the caller's tenant, or the caller has a signed URL for it."""
    return job.tenant == caller.tenant or caller.is_bearer_of_url


def lists(caller: Caller, job: Job) -> bool:
    """Whether a list of the caller's jobs has this one: one of its tenant's, or any for EVERY_TENANT."""
    return caller.tenant in (job.tenant, EVERY_TENANT)


def unknown_job() -> UnknownJob:
    """The error for an id that is not one of the caller's jobs, whether or not another tenant's job has it."""
    return UnknownJob("There is no job with this id; it may have expired.")


async def find_job(store: JobStore, caller: Caller, job_id: str) -> Job:
    """The caller's job in its current state. Raises UnknownJob, also for text that cannot be an id."""
    job = await store.get(job_id) if is_id(job_id) else None
    if job is None or not owns(caller, job):
        raise unknown_job()
    return job


def key_of_tenant(caller: Caller, idempotency_key: str) -> str:
    """The form in which to look up an Idempotency-Key: each tenant has its own keys.

    The default tenant's keys are unchanged, so that the idempotency records of earlier releases still count. A key
    arrives in a request header, which cannot contain a line break, so one tenant's key can never look like another's.
    """
    return idempotency_key if caller.tenant == DEFAULT_TENANT else f"{caller.tenant}\n{idempotency_key}"
