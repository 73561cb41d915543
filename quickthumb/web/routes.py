"""Every route, on one screen; OpenAPI is derived from the same list."""

from quickthumb.http.endpoints import Answer, Endpoint
from quickthumb.http.errors import RangeNotSatisfiable
from quickthumb.http.files import PICTURES
from quickthumb.model.errors import InvalidParameter, NotServing, SourceMissing
from quickthumb.queue.errors import QueueUnavailable, RequestInProgress
from quickthumb.service.errors import UPLOAD, KeyReused, NotReady, UnknownJob, UnknownResult, WrongState
from quickthumb.storage.errors import DiskFull, StorageUnavailable
from quickthumb.web import documentation, files, health, images, jobs, presets
from quickthumb.web import parameters as given
from quickthumb.web.presentation import AcceptedView, JobView, PageView
from quickthumb.web.uploads import UPLOAD_BODY, UPLOAD_PARAMETERS

DOWNLOAD = (
    Answer(200, "The file.", media_types=PICTURES, headers=(("ETag", "Tells this file from any other."),)),
    Answer(206, "A part of the file.", media_types=PICTURES),
    Answer(304, "The client's copy is still good."),
)
ACCEPTED = Answer(202, "The image and its job are kept.", AcceptedView, headers=(("Location", "The job's address."),))
UPLOAD_ERRORS = (*UPLOAD, InvalidParameter, RequestInProgress, KeyReused)
LOOKUP_ERRORS = (UnknownJob, QueueUnavailable)
CHANGE_ERRORS = (*LOOKUP_ERRORS, WrongState, StorageUnavailable, DiskFull)
FILE_ERRORS = (*LOOKUP_ERRORS, RangeNotSatisfiable)

# fmt: off
ENDPOINTS = [
    Endpoint("POST", "/images/", images.submit, "Images", "Upload an image",
             (ACCEPTED,), UPLOAD_ERRORS, (given.IDEMPOTENCY_KEY, *UPLOAD_PARAMETERS), UPLOAD_BODY),
    Endpoint("GET", "/presets", presets.show, "Images", "List the named recipes",
             (Answer(200, "Each preset's outputs.", presets.PresetsView),)),
    Endpoint("GET", "/jobs", jobs.list_all, "Jobs", "List jobs, newest first",
             (Answer(200, "Some jobs.", PageView),), (InvalidParameter, QueueUnavailable),
             (given.STATUS, given.LIMIT, given.CURSOR)),
    Endpoint("GET", "/jobs/{job_id}", jobs.show, "Jobs", "Ask how a job stands",
             (Answer(200, "The job.", JobView),), (*LOOKUP_ERRORS, InvalidParameter),
             (given.JOB, given.WAIT, given.PREFER)),
    Endpoint("DELETE", "/jobs/{job_id}", jobs.remove, "Jobs", "Remove a job and its files",
             (Answer(204, "It is gone."),), (*LOOKUP_ERRORS, StorageUnavailable), (given.JOB,)),
    Endpoint("POST", "/jobs/{job_id}/cancel", jobs.cancel, "Jobs", "Cancel a job",
             (Answer(202, "It is cancelled.", JobView),), CHANGE_ERRORS, (given.JOB,)),
    Endpoint("POST", "/jobs/{job_id}/retry", jobs.retry, "Jobs", "Try a FAILED job again",
             (Answer(202, "It waits for its next attempt.", JobView),), CHANGE_ERRORS, (given.JOB,)),
    Endpoint("GET", "/jobs/{job_id}/results/{name}", files.result, "Jobs", "Download a result",
             DOWNLOAD, (*FILE_ERRORS, UnknownResult, NotReady),
             (given.JOB, given.NAME, given.RANGE, given.IF_NONE_MATCH)),
    Endpoint("GET", "/jobs/{job_id}/original", files.original, "Jobs", "Download the source",
             DOWNLOAD, (*FILE_ERRORS, SourceMissing), (given.JOB, given.RANGE, given.IF_NONE_MATCH)),
    Endpoint("GET", "/healthz", health.alive, "Operation", "Is the process alive?",
             (Answer(200, "It is.", health.Health),)),
    Endpoint("GET", "/readyz", health.ready, "Operation", "Can images be taken and worked on?",
             (Answer(200, "They can.", health.Readiness),), (NotServing,)),
    Endpoint("GET", "/metrics", health.scrape, "Operation", "Metrics for Prometheus",
             (Answer(200, "Prometheus' text format.", media_types=("text/plain",)),)),
    Endpoint("GET", "/openapi.json", documentation.openapi, "Operation", "This description",
             (Answer(200, "OpenAPI 3.1.", media_types=("application/json",)),)),
]
# fmt: on

# Pages for people, which OpenAPI does not describe.
PAGES = [
    Endpoint("GET", "/", documentation.home, "Pages", "Leads to the docs", ()),
    Endpoint("GET", "/docs", documentation.docs, "Pages", "Swagger UI", ()),
]
