"""The parameters of the routes, as OpenAPI tells of them."""

from quickthumb.http.endpoints import Parameter
from quickthumb.model.job import Status
from quickthumb.web import jobs

JOB = Parameter("job_id", "path", "The job's id.", {"type": "string", "pattern": "^[0-9a-f]{32}$"})
NAME = Parameter("name", "path", "The result's name.", {"type": "string", "examples": ["thumbnail"]})
WAIT = Parameter(
    "wait",
    "query",
    "Hold the answer until the job ends, for at most so many seconds.",
    {"type": "integer", "minimum": 0},
)
PREFER = Parameter("Prefer", "header", "`wait=20` does the same (RFC 7240).", {"type": "string"})
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "header",
    "Any text of your own: sent again within a day, the request answers with the first one's job.",
    {"type": "string", "maxLength": 255},
)
STATUS = Parameter("status", "query", "Only jobs of this status.", {"type": "string", "enum": list(Status)})
LIMIT = Parameter(
    "limit",
    "query",
    "How many jobs at most.",
    {"type": "integer", "minimum": 1, "maximum": jobs.LARGEST_PAGE, "default": jobs.DEFAULT_PAGE},
)
CURSOR = Parameter("cursor", "query", "Where the page begins; `next` of the page before has it.", {"type": "string"})
RANGE = Parameter("Range", "header", "Only a part of the file.", {"type": "string", "examples": ["bytes=0-1023"]})
IF_NONE_MATCH = Parameter("If-None-Match", "header", "The ETag of a copy that the client has.", {"type": "string"})
