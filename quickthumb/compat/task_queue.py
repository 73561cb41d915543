"""The task queue demo: queues an email at once, and has a worker send it in the background."""

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import Answer, Endpoint, Parameter, json_answer
from quickthumb.http.requests import caller_of, mail_of
from quickthumb.model.caller import Scope
from quickthumb.model.errors import InvalidParameter
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.service.errors import AddressNotAllowed, QueueFull, TooManyEmails, UnknownJob
from quickthumb.storage.errors import DiskFull, StorageUnavailable, WrongStorage

TAG = "Older API: task queue demo"
QUEUED = "Email sending task has been queued."


class EmailQueuedView(BaseModel):
    """The response when an email has been queued."""

    message: str = Field(QUEUED, examples=[QUEUED])
    job_id: str = Field(examples=["5f0c7d0e5f0c7d0e5f0c7d0e5f0c7d0e"])


class EmailStatusView(BaseModel):
    """The status of an email. `error` says why it FAILED or, while it is WAITING, why the last attempt failed."""

    job_id: str
    status: str = Field(examples=["DONE"], json_schema_extra={"enum": ["WAITING", "IN_PROGRESS", "DONE", "FAILED"]})
    attempts: int = Field(examples=[1])
    error: str | None


async def send_email(request: Request) -> Response:
    """Queues an email, if the deployment allows its address. The client cannot choose what the email says."""
    mail = await mail_of(request).queue(caller_of(request), request.path_params["email"])
    return json_answer(EmailQueuedView(job_id=mail.id), headers={"Cache-Control": "no-store"})


async def show_email_status(request: Request) -> Response:
    """Returns the status of an email. It is kept for a day."""
    mail = await mail_of(request).find(caller_of(request), request.path_params["job_id"])
    error = mail.error.detail if mail.error else None
    view = EmailStatusView(job_id=mail.id, status=mail.status, attempts=mail.attempts, error=error)
    return json_answer(view, headers={"Cache-Control": "no-store"})


_EMAIL = Parameter(
    "email",
    "path",
    "Address to send the email to.",
    {"type": "string", "format": "email", "maxLength": 254},
    "ada@example.com",
)
_JOB = Parameter("job_id", "path", "The job's id.", {"type": "string", "pattern": "^[0-9a-f]{32}$"})

# fmt: off
ENDPOINTS = (
    # This GET sends an email, so HEAD must not call it.
    Endpoint("GET", "/send-email/{email}", send_email, TAG, "Send an email in the background", "sendEmail",
             (Answer(200, "The email is queued.", EmailQueuedView),),
             (AddressNotAllowed, InvalidParameter, TooManyEmails, QueueFull, QueueUnavailable, StorageUnavailable,
              WrongStorage, DiskFull),
             (_EMAIL,), safe=False, scope=Scope.JOBS_WRITE),
    Endpoint("GET", "/job/{job_id}/status", show_email_status, TAG, "Get the status of an email", "getEmailStatus",
             (Answer(200, "The status.", EmailStatusView),), (UnknownJob, QueueUnavailable), (_JOB,),
             scope=Scope.JOBS_READ),
)
# fmt: on
