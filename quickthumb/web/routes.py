"""Every route, on one screen; OpenAPI is derived from the same list."""

from quickthumb.http.endpoints import Answer, Endpoint, Parameter
from quickthumb.http.errors import RangeNotSatisfiable
from quickthumb.http.files import PICTURES
from quickthumb.model.errors import InvalidParameter, NotServing, SourceMissing
from quickthumb.model.job import Status
from quickthumb.queue.errors import QueueUnavailable, RequestInProgress
from quickthumb.service.errors import UPLOAD, KeyReused, NotReady, UnknownJob, UnknownResult, WrongState
from quickthumb.storage.errors import DiskFull, StorageUnavailable
from quickthumb.web import files, images, jobs, operation
from quickthumb.web.presentation import AcceptedView, JobView, PageView

# fmt: off
JOB = Parameter("job_id", "path", "The job's id.", {"type": "string", "pattern": "^[0-9a-f]{32}$"})
NAME = Parameter("name", "path", "The result's name.", {"type": "string", "examples": ["thumbnail"]})
WAIT = Parameter("wait", "query", "Hold the answer until the job ends, for at most so many seconds.",
                 {"type": "integer", "minimum": 0})
PREFER = Parameter("Prefer", "header", "`wait=20` does the same (RFC 7240).", {"type": "string"})
IDEMPOTENCY_KEY = Parameter("Idempotency-Key", "header",
                            "Any text of your own: sent again within a day, the request answers with the first one's "
                            "job.", {"type": "string", "maxLength": images.LONGEST_KEY})
STATUS = Parameter("status", "query", "Only jobs of this status.", {"type": "string", "enum": list(Status)})
LIMIT = Parameter("limit", "query", "How many jobs at most.",
                  {"type": "integer", "minimum": 1, "maximum": jobs.LARGEST_PAGE, "default": jobs.DEFAULT_PAGE})
CURSOR = Parameter("cursor", "query", "Where the page begins; `next` of the page before has it.", {"type": "string"})
RANGE = Parameter("Range", "header", "Only a part of the file.", {"type": "string", "examples": ["bytes=0-1023"]})
IF_NONE_MATCH = Parameter("If-None-Match", "header", "The ETag of a copy that the client has.", {"type": "string"})

DOWNLOAD = (
    Answer(200, "The file.", media_types=PICTURES, headers=(("ETag", "Tells this file from any other."),)),
    Answer(206, "A part of the file.", media_types=PICTURES),
    Answer(304, "The client's copy is still good."),
)
ACCEPTED = Answer(202, "The image and its job are kept.", AcceptedView, headers=(("Location", "The job's URL."),))
UPLOAD_ERRORS = (*UPLOAD, InvalidParameter, RequestInProgress, KeyReused)
LOOKUP_ERRORS = (UnknownJob, QueueUnavailable)
CHANGE_ERRORS = (*LOOKUP_ERRORS, WrongState, StorageUnavailable, DiskFull)
FILE_ERRORS = (*LOOKUP_ERRORS, RangeNotSatisfiable)

ENDPOINTS = [
    Endpoint("POST", "/images/", images.submit, "Images", "Upload an image",
             (ACCEPTED,), UPLOAD_ERRORS, (IDEMPOTENCY_KEY, *images.upload_parameters()), images.upload_body()),
    Endpoint("GET", "/presets", images.presets, "Images", "List the named recipes",
             (Answer(200, "Each preset's outputs.", images.PresetsView),), operation_id="presets_show"),
    Endpoint("GET", "/jobs", jobs.list_all, "Jobs", "List jobs, newest first",
             (Answer(200, "Some jobs.", PageView),), (InvalidParameter, QueueUnavailable),
             (STATUS, LIMIT, CURSOR)),
    Endpoint("GET", "/jobs/{job_id}", jobs.show, "Jobs", "Ask how a job stands",
             (Answer(200, "The job.", JobView),), (*LOOKUP_ERRORS, InvalidParameter),
             (JOB, WAIT, PREFER)),
    Endpoint("DELETE", "/jobs/{job_id}", jobs.remove, "Jobs", "Remove a job and its files",
             (Answer(204, "It is gone."),), (*LOOKUP_ERRORS, StorageUnavailable), (JOB,)),
    Endpoint("POST", "/jobs/{job_id}/cancel", jobs.cancel, "Jobs", "Cancel a job",
             (Answer(202, "It is cancelled.", JobView),), CHANGE_ERRORS, (JOB,)),
    Endpoint("POST", "/jobs/{job_id}/retry", jobs.retry, "Jobs", "Try a FAILED job again",
             (Answer(202, "It waits for its next attempt.", JobView),), CHANGE_ERRORS, (JOB,)),
    Endpoint("GET", "/jobs/{job_id}/results/{name}", files.result, "Jobs", "Download a result",
             DOWNLOAD, (*FILE_ERRORS, UnknownResult, NotReady),
             (JOB, NAME, RANGE, IF_NONE_MATCH)),
    Endpoint("GET", "/jobs/{job_id}/original", files.original, "Jobs", "Download the source",
             DOWNLOAD, (*FILE_ERRORS, SourceMissing), (JOB, RANGE, IF_NONE_MATCH)),
    Endpoint("GET", "/healthz", operation.alive, "Operation", "Is the process alive?",
             (Answer(200, "It is.", operation.Health),), operation_id="health_alive"),
    Endpoint("GET", "/readyz", operation.ready, "Operation", "Can images be taken and worked on?",
             (Answer(200, "They can.", operation.Readiness),), (NotServing,), operation_id="health_ready"),
    Endpoint("GET", "/metrics", operation.scrape, "Operation", "Metrics for Prometheus",
             (Answer(200, "Prometheus' text format.", media_types=("text/plain",)),),
             operation_id="health_scrape"),
    Endpoint("GET", "/openapi.json", operation.openapi, "Operation", "This description",
             (Answer(200, "OpenAPI 3.1.", media_types=("application/json",)),),
             operation_id="documentation_openapi"),
]
# fmt: on

# Pages for people, which OpenAPI does not describe.
PAGES = [
    Endpoint("GET", "/", operation.home, "Pages", "Leads to the docs", ()),
    Endpoint("GET", "/docs", operation.docs, "Pages", "Swagger UI", ()),
]
