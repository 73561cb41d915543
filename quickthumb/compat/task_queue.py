"""The task queue demo: an email is queued at once, and sent in the background."""

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import Answer, Endpoint, Parameter, json_answer
from quickthumb.http.requests import caller_of, mail_of
from quickthumb.model.errors import InvalidParameter
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.service.errors import AddressNotAllowed, QueueFull, UnknownJob
from quickthumb.storage.errors import DiskFull, StorageUnavailable

TAG = "Older API: task queue demo"
QUEUED = "Email sending task has been queued."


class EmailQueuedView(BaseModel):
    """The email waits to be sent."""

    message: str = Field(QUEUED, examples=[QUEUED])
    job_id: str = Field(examples=["5f0c7d0e5f0c7d0e5f0c7d0e5f0c7d0e"])


class EmailStatusView(BaseModel):
    """How the sending stands; `error` says why it FAILED, or why it is to be tried again."""

    job_id: str
    status: str = Field(examples=["DONE"], json_schema_extra={"enum": ["WAITING", "IN_PROGRESS", "DONE", "FAILED"]})
    attempts: int = Field(examples=[1])
    error: str | None


async def send_email(request: Request) -> Response:
    """Queues an email to an address that the deployment admits. What it says is not the client's to choose."""
    mail = await mail_of(request).queue(caller_of(request), request.path_params["email"])
    return json_answer(EmailQueuedView(job_id=mail.id), headers={"Cache-Control": "no-store"})


async def show_email_status(request: Request) -> Response:
    """How the sending stands: for a day."""
    mail = await mail_of(request).find(caller_of(request), request.path_params["job_id"])
    error = mail.error.detail if mail.error else None
    view = EmailStatusView(job_id=mail.id, status=mail.status, attempts=mail.attempts, error=error)
    return json_answer(view, headers={"Cache-Control": "no-store"})


_EMAIL = Parameter(
    "email", "path", "Whom to write to.", {"type": "string", "format": "email", "maxLength": 254}, "ada@example.com"
)
_JOB = Parameter("job_id", "path", "The job's id.", {"type": "string", "pattern": "^[0-9a-f]{32}$"})

# fmt: off
ENDPOINTS = (
    # It changes something though it is a GET, so nobody is to ask for its head alone.
    Endpoint("GET", "/send-email/{email}", send_email, TAG, "Send an email in the background",
             (Answer(200, "It is queued.", EmailQueuedView),),
             (AddressNotAllowed, InvalidParameter, QueueFull, QueueUnavailable, StorageUnavailable, DiskFull),
             (_EMAIL,), safe=False),
    Endpoint("GET", "/job/{job_id}/status", show_email_status, TAG, "Ask how the sending stands",
             (Answer(200, "The job.", EmailStatusView),), (UnknownJob, QueueUnavailable), (_JOB,)),
)
# fmt: on
