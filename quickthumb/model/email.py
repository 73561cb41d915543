"""An email to be sent, and its outcome: plain data, and the JSON that the storage keeps."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Failure, Status


class Email(BaseModel):
    """One email to one address, and its status. `tenant` owns the email.

    `error` says why the email FAILED or, while it is WAITING, why the last attempt did not send it.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    tenant: str = DEFAULT_TENANT
    address: str
    created_at: datetime
    status: Status = Status.WAITING
    attempts: int = 0
    error: Failure | None = None

    def record(self) -> bytes:
        """The JSON that the storage keeps from the email's acceptance on: only the request, no status or outcome."""
        return self.model_dump_json(include={"id", "tenant", "address", "created_at"}).encode()

    @classmethod
    def from_record(cls, record: bytes) -> "Email":
        """The email as it was accepted."""
        return cls.model_validate_json(record)


class EmailOutcome(BaseModel):
    """How the sending of an email ended. The storage keeps it next to the email's record."""

    model_config = ConfigDict(frozen=True)

    status: Status
    finished_at: datetime
    error: Failure | None = None
