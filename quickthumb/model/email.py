"""An email that is to be sent, and how that ended: plain data, and the JSON that the storage keeps of it."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Failure, Status


class Email(BaseModel):
    """One email to one address, and how the sending of it stands. `tenant` is whose email it is.

    `error` is why it FAILED or, while it is WAITING, why the last attempt did not send it.
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
        """What the storage keeps of the email from its acceptance on: nothing of what became of it."""
        return self.model_dump_json(include={"id", "tenant", "address", "created_at"}).encode()

    @classmethod
    def from_record(cls, record: bytes) -> "Email":
        """The email as it was accepted."""
        return cls.model_validate_json(record)


class EmailOutcome(BaseModel):
    """How the sending of an email ended: what the storage keeps beside its record."""

    model_config = ConfigDict(frozen=True)

    status: Status
    finished_at: datetime
    error: Failure | None = None
