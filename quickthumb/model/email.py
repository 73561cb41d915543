"""An email to be sent, and its outcome: plain data, and the JSON that the storage keeps."""

import hashlib
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Failure, Status


class Email(BaseModel):
    """One email to one address, and its status. `tenant` owns the email.

    `job_id` and `ended` say of which end of which job it tells; without them, it tells of nothing.
    `error` says why the email FAILED or, while it is WAITING, why the last attempt did not send it.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    tenant: str = DEFAULT_TENANT
    address: str
    created_at: datetime
    job_id: str | None = None
    ended: Status | None = None
    status: Status = Status.WAITING
    attempts: int = 0
    error: Failure | None = None

    def record(self) -> bytes:
        """The JSON that the storage keeps from the email's acceptance on: only the request, no status or outcome."""
        asked = {"id", "tenant", "address", "created_at", "job_id", "ended"}
        return self.model_dump_json(include=asked, exclude_none=True).encode()

    @classmethod
    def from_record(cls, record: bytes) -> "Email":
        """The email as it was accepted."""
        return cls.model_validate_json(record)


def notice_id(job_id: str, finished_at: datetime) -> str:
    """The id of the email that tells of this end of a job: always the same, so that no two are sent."""
    return hashlib.sha256(f"email\n{job_id}\n{finished_at.isoformat()}".encode()).hexdigest()[:32]


class EmailOutcome(BaseModel):
    """How the sending of an email ended. The storage keeps it next to the email's record."""

    model_config = ConfigDict(frozen=True)

    status: Status
    finished_at: datetime
    error: Failure | None = None
