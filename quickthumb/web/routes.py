"""Every route of the native API, on one screen. OpenAPI derives from the same list."""

from quickthumb.http.endpoints import Answer, Endpoint, Parameter
from quickthumb.http.errors import CrossOrigin, InvalidPolicy, InvalidSignature, RangeNotSatisfiable
from quickthumb.http.files import PARTS, PICTURES
from quickthumb.http.policies import HEADER
from quickthumb.http.signing import LONGEST_SECONDS
from quickthumb.intake.errors import BatchTooLarge, TooManyBytes, UnsupportedMediaType, UploadTimedOut
from quickthumb.model.caller import Scope
from quickthumb.model.errors import (
    InvalidParameter,
    MalformedRequest,
    NotServing,
    OrderTooLarge,
    SourceMissing,
    TooManyPixels,
)
from quickthumb.model.job import Status
from quickthumb.model.order import TAG as TAG_PATTERN
from quickthumb.model.selection import LONGEST_CONTEXT, LONGEST_FILENAME, MOST_CONTEXTS
from quickthumb.notify.errors import WebhookRefused
from quickthumb.queue.errors import PolicyInUse, QueueUnavailable, QuotaExceeded, RequestInProgress
from quickthumb.service.bulk import LARGEST_BULK, MOST_NAMED
from quickthumb.service.errors import (
    UPLOAD,
    InvalidKey,
    JobFailed,
    KeyRequired,
    KeyReused,
    KeysUnknown,
    NotForTenants,
    NotReady,
    NotWaiting,
    OriginalWithheld,
    PolicyUsed,
    PresetNotAllowed,
    QueueFull,
    StreamsFull,
    TooManyStreams,
    TooManyWebhooks,
    UnknownBatch,
    UnknownDelivery,
    UnknownJob,
    UnknownResult,
    UnknownWebhook,
    WrongState,
)
from quickthumb.storage.errors import DiskFull, StorageUnavailable, WrongStorage
from quickthumb.web import (
    batches,
    deployment,
    derive,
    events,
    files,
    images,
    jobs,
    keys,
    operation,
    pages,
    parameters,
    schedule,
    selection,
    sessions,
    stats,
    webhooks,
)
from quickthumb.web.assets import ASSETS
from quickthumb.web.presentation import AcceptedJobView, BulkView, JobPageView, JobView
from quickthumb.web.schemas import reference
from quickthumb.web.webhooks import json_body

# fmt: off
JOB = Parameter("job_id", "path", "The job's id.", {"type": "string", "pattern": "^[0-9a-f]{32}$"})
WEBHOOK = Parameter("webhook_id", "path", "The webhook's id.", {"type": "string", "pattern": "^[0-9a-f]{32}$"})
DELIVERY = Parameter("delivery_id", "path", "The delivery's id.", {"type": "string", "pattern": "^[0-9a-f]{32}$"})
NAME = Parameter("name", "path", "The result's name.", {"type": "string", "examples": ["thumbnail"]})
WAIT = Parameter("wait", "query", "Wait for the job to end, for at most this many seconds.",
                 {"type": "integer", "minimum": 0})
SIGN = Parameter("sign", "query", "Sign the URLs of files: for this many seconds, anybody who has one may download it.",
                 {"type": "integer", "minimum": 1, "maximum": LONGEST_SECONDS})
PREFER = Parameter("Prefer", "header", "`wait=20` has the same effect as `?wait=20` (RFC 7240).", {"type": "string"})
IDEMPOTENCY_KEY = Parameter("Idempotency-Key", "header",
                            "Text of your choice that is unique to this upload. A retry with the same key within a day "
                            "returns the job of the first request.",
                            {"type": "string", "maxLength": images.LONGEST_KEY})
POLICY = Parameter(HEADER, "header",
                   "A policy that your backend has signed, in place of an API key: `base64url(JSON).signature`.",
                   {"type": "string"})
FILENAME = Parameter(images.FILENAME, "query", "The image's file name, if the body does not have it.",
                     {"type": "string"})
DISPOSITION = Parameter("Content-Disposition", "header", "Its `filename` has the same effect as `?filename=`.",
                        {"type": "string"})
STATUS = Parameter("status", "query", "Only jobs with this status.", reference(Status.__name__))
TAG = Parameter("tag", "query", "Only jobs with this tag.",
                {"type": "string", "pattern": TAG_PATTERN, "examples": ["catalog/2026"]})
LIMIT = Parameter("limit", "query", f"Maximum number of jobs on the page. Default: {jobs.DEFAULT_PAGE}.",
                  {"type": "integer", "minimum": 1, "maximum": jobs.LARGEST_PAGE})
CURSOR = Parameter("cursor", "query", "Where the page begins: the `cursor` of the page before.",
                   {"type": "string"})
FAILED = Parameter("status", "query", "Only jobs with this status. Required without `job`.",
                   {"type": "string", "enum": [Status.FAILED]})
UNENDED = Parameter("status", "query", "Only jobs with this status. Required without `job`.",
                    {"type": "string", "enum": [Status.WAITING, Status.IN_PROGRESS]})
BEFORE = Parameter("before", "query", "Only jobs accepted before this moment.",
                   {"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00Z"]})
SINCE = Parameter("after", "query", "Only jobs accepted at this moment or later.",
                  {"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00Z"]})
FORMAT = Parameter("format", "query", "Only jobs whose source has this format.",
                   {"type": "string", "enum": list(selection.FORMAT_NAMES)})
ERROR = Parameter("error", "query", "Only jobs that FAILED with the error of this code.",
                  {"type": "string", "pattern": f"^{selection.CODE}$", "examples": ["broken_image"]})
CONTAINS = Parameter("filename", "query", "Only jobs with this in the file name of their source, whatever its case.",
                     {"type": "string", "minLength": 1, "maxLength": LONGEST_FILENAME})
CONTEXT = Parameter(selection.CONTEXT, "query",
                    "Only jobs whose `context` has this value: keys with dots between them, a colon, and the value.",
                    {"type": "array", "items": {"type": "string", "maxLength": LONGEST_CONTEXT,
                                                "pattern": "^[^.:]+([.][^.:]+)*:", "examples": ["order.id:4711"]},
                     "maxItems": MOST_CONTEXTS})
FILTERS = (TAG, SINCE, BEFORE, FORMAT, ERROR, CONTAINS, CONTEXT)
THESE = Parameter(selection.JOB, "query", f"A job, in place of all other filters; up to {MOST_NAMED} times.",
                  {"type": "array", "items": {"type": "string", "pattern": "^[0-9a-f]{32}$"}, "maxItems": MOST_NAMED})
DRY_RUN = Parameter(selection.DRY_RUN, "query", "`yes`: change nothing, and say how many jobs would be changed.",
                    {"type": "string", "enum": ["yes", "no"]})
AT_MOST = Parameter("limit", "query",
                    f"Maximum number of jobs that this call changes. Default: {jobs.DEFAULT_BULK}.",
                    {"type": "integer", "minimum": 1, "maximum": LARGEST_BULK})
GO_ON = Parameter("cursor", "query", "Where to go on: the `cursor` of the previous call's response.",
                  {"type": "string"})
CHOICE = (THESE, DRY_RUN, AT_MOST, GO_ON)
JOBS = Parameter(events.JOB, "query", f"A job to follow; up to {events.MOST_JOBS} times. Without any: all jobs.",
                 {"type": "array", "items": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
                  "maxItems": events.MOST_JOBS})
ONE_BATCH = Parameter(events.BATCH, "query", "The batch to follow, in place of jobs.",
                      {"type": "string", "pattern": "^[0-9a-f]{32}$"})
LAST_EVENT_ID = Parameter("Last-Event-ID", "header", "The id of the last event that arrived; browsers send it.",
                          {"type": "string"})
LAST_EVENT_ID_TOO = Parameter(events.LAST_EVENT_ID, "query", "The same, for clients that cannot send the header.",
                              {"type": "string"})
SPAN = Parameter(stats.SPAN, "query", "How far back. Default: hour.",
                 {"type": "string", "enum": list(stats.SPANS_BY_NAME)})
RANGE = Parameter("Range", "header", "The part or parts of the file to send.",
                  {"type": "string", "examples": ["bytes=0-1023"]})
IF_NONE_MATCH = Parameter("If-None-Match", "header", "The ETag of the client's copy.", {"type": "string"})

DOWNLOAD = (
    Answer(200, "The file.", media_types=PICTURES, headers=(("ETag", "Identifies this version of the file."),)),
    Answer(206, "The requested part of the file.", media_types=PARTS),
    Answer(304, "The client's copy is current."),
)
WAITED = Answer(200, "The job has ended in the time that the client was ready to wait.", JobView,
                headers=(("Location", "The job's URL."),))
ACCEPTED = Answer(202, "The image is stored and its job is queued.", AcceptedJobView,
                  headers=(("Location", "The job's URL."),))
EVENTS = (Answer(200, "The events, for as long as there are any.", media_types=(events.MEDIA_TYPE,)),
          Answer(204, "All jobs have ended, and everything was told; do not ask again."))
EVENT_ERRORS = (UnknownJob, InvalidParameter, TooManyStreams, StreamsFull, QueueUnavailable)
UPLOAD_ERRORS = (*UPLOAD, InvalidParameter, RequestInProgress, KeyReused, InvalidPolicy, PolicyUsed, PolicyInUse)
LOOKUP_ERRORS = (UnknownJob, QueueUnavailable)
CHANGE_ERRORS = (*LOOKUP_ERRORS, WrongState, StorageUnavailable, WrongStorage, DiskFull)
BODY_ERRORS = (MalformedRequest, UnsupportedMediaType, TooManyBytes, UploadTimedOut, InvalidParameter)
WEBHOOK_CHANGE_ERRORS = (StorageUnavailable, WrongStorage, DiskFull)
RESCHEDULE_ERRORS = (*LOOKUP_ERRORS, *BODY_ERRORS, NotWaiting, StorageUnavailable, WrongStorage, DiskFull)
DERIVE_ERRORS = (*LOOKUP_ERRORS, *BODY_ERRORS, SourceMissing, NotReady, TooManyPixels, OrderTooLarge, PresetNotAllowed,
                 QueueFull, RequestInProgress, KeyReused, StorageUnavailable, WrongStorage, DiskFull)
BULK = (Answer(200, "What this call did.", BulkView),)
BULK_ERRORS = (InvalidParameter, QueueUnavailable, StorageUnavailable, WrongStorage, DiskFull)
FILE_ERRORS = (*LOOKUP_ERRORS, RangeNotSatisfiable, WrongStorage)

QUEUE_AND_STORAGE = (QueueUnavailable, StorageUnavailable, WrongStorage)
BATCH = Parameter("batch_id", "path", "The batch's id.", {"type": "string", "pattern": "^[0-9a-f]{32}$"})
IMAGES = Parameter("limit", "query", f"Maximum number of images on the page. Default: {batches.DEFAULT_PAGE}.",
                   {"type": "integer", "minimum": 1, "maximum": batches.LARGEST_PAGE})
AFTER = Parameter("cursor", "query", "Where the page begins; `next` has it.", {"type": "string"})
BATCH_ACCEPTED = tuple(
    Answer(status, meaning, batches.BatchView, headers=(("Location", "The batch's URL."),))
    for status, meaning in ((202, "All images were accepted."), (207, "Some images were refused, or did not come."))
)
PAGE_OF_DELIVERIES = (
    Parameter("status", "query", "Only deliveries with this status.", reference(Status.__name__)),
    Parameter("limit", "query", f"Maximum number of deliveries on the page. Default: {webhooks.DEFAULT_PAGE}.",
              {"type": "integer", "minimum": 1, "maximum": webhooks.LARGEST_PAGE}),
    Parameter("cursor", "query", "Where the page begins; `next` has it.", {"type": "string"}),
)

# Where pages log in; only with the dashboard.
SESSIONS = [
    Endpoint("POST", "/session", sessions.create, "Sessions", "Log in", "createSession",
             (Answer(200, "Who has logged in.", sessions.SessionView,
                     headers=(("Set-Cookie", "The session, which ends after 12 hours or with its key."),)),),
             (*BODY_ERRORS, KeyRequired, InvalidKey, KeysUnknown, QuotaExceeded, *WEBHOOK_CHANGE_ERRORS), (),
             json_body(sessions.Login)),
    Endpoint("GET", "/session", sessions.show, "Sessions", "See who is logged in", "getSession",
             (Answer(200, "Who is asking, if anybody.", sessions.SessionView),),
             (MalformedRequest, CrossOrigin, KeysUnknown, WrongStorage)),
    Endpoint("DELETE", "/session", sessions.remove, "Sessions", "Log out", "deleteSession",
             (Answer(204, "The cookie is gone.", headers=(("Set-Cookie", "An empty one."),)),)),
]

ENDPOINTS = [
    Endpoint("POST", "/images/", images.submit, "Images", "Upload an image", "createImage",
             (WAITED, ACCEPTED), UPLOAD_ERRORS,
             (IDEMPOTENCY_KEY, POLICY, WAIT, PREFER, SIGN, *images.upload_parameters(), FILENAME, DISPOSITION),
             images.upload_body(), scope=Scope.IMAGES_WRITE, takes_policy=True),
    Endpoint("GET", "/presets", images.presets, "Images", "List the presets", "listPresets",
             (Answer(200, "Each preset's outputs.", images.PresetsView),), scope=Scope.IMAGES_WRITE),
    Endpoint("GET", "/parameters", parameters.list_all, "Images", "List the parameters", "listParameters",
             (Answer(200, "The parameters of an output and of a job.", parameters.ParametersView),),
             scope=Scope.IMAGES_WRITE),
    Endpoint("GET", "/jobs", jobs.list_all, "Jobs", "List jobs, newest first", "listJobs",
             (Answer(200, "One page of jobs.", JobPageView),), (InvalidParameter, QueueUnavailable),
             (STATUS, *FILTERS, LIMIT, CURSOR, SIGN), scope=Scope.JOBS_READ, for_all_tenants=True),
    Endpoint("DELETE", "/jobs", jobs.remove_many, "Jobs", "Remove many jobs", "deleteJobs",
             BULK, BULK_ERRORS, (STATUS, *FILTERS, *CHOICE), scope=Scope.JOBS_WRITE),
    Endpoint("POST", "/jobs/retry", jobs.retry_many, "Jobs", "Retry many FAILED jobs", "retryJobs",
             BULK, BULK_ERRORS, (FAILED, *FILTERS, *CHOICE), scope=Scope.JOBS_WRITE),
    Endpoint("POST", "/jobs/cancel", jobs.cancel_many, "Jobs", "Cancel many jobs", "cancelJobs",
             BULK, BULK_ERRORS, (UNENDED, *FILTERS, *CHOICE), scope=Scope.JOBS_WRITE),
    Endpoint("GET", "/jobs/{job_id}", jobs.show, "Jobs", "Get a job", "getJob",
             (Answer(200, "The job.", JobView),), (*LOOKUP_ERRORS, InvalidParameter, InvalidSignature),
             (JOB, WAIT, PREFER, SIGN), scope=Scope.JOBS_READ, signable=True),
    Endpoint("GET", "/jobs/{job_id}/events", events.of_job, "Events", "Follow a job", "followJob",
             EVENTS, (*EVENT_ERRORS, InvalidSignature), (JOB, LAST_EVENT_ID, LAST_EVENT_ID_TOO, SIGN),
             scope=Scope.JOBS_READ, signable=True),
    Endpoint("GET", "/events", events.of_many, "Events", "Follow several jobs, or all", "followJobs",
             EVENTS, (*EVENT_ERRORS, UnknownBatch, StorageUnavailable, WrongStorage),
             (JOBS, ONE_BATCH, LAST_EVENT_ID, LAST_EVENT_ID_TOO, SIGN), scope=Scope.JOBS_READ),
    Endpoint("DELETE", "/jobs/{job_id}", jobs.remove, "Jobs", "Remove a job and its files", "deleteJob",
             (Answer(204, "The job has been removed."),), (*LOOKUP_ERRORS, StorageUnavailable, WrongStorage), (JOB,),
             scope=Scope.JOBS_WRITE),
    Endpoint("PATCH", "/jobs/{job_id}", schedule.reschedule, "Jobs", "Change when a job is served", "updateJob",
             (Answer(200, "The job waits under the new terms.", JobView),), RESCHEDULE_ERRORS, (JOB,),
             schedule.change_body(), scope=Scope.JOBS_WRITE),
    Endpoint("POST", "/jobs/{job_id}/outputs", derive.derive, "Jobs", "Make further outputs of a job's image",
             "createOutputs", (ACCEPTED,), DERIVE_ERRORS, (JOB, IDEMPOTENCY_KEY, SIGN), derive.derive_body(),
             scope=Scope.JOBS_WRITE),
    Endpoint("POST", "/jobs/{job_id}/cancel", jobs.cancel, "Jobs", "Cancel a job", "cancelJob",
             (Answer(202, "The job is cancelled.", JobView),), CHANGE_ERRORS, (JOB,), scope=Scope.JOBS_WRITE),
    Endpoint("POST", "/jobs/{job_id}/retry", jobs.retry, "Jobs", "Retry a FAILED job", "retryJob",
             (Answer(202, "The job waits for its next attempt.", JobView),), CHANGE_ERRORS, (JOB,),
             scope=Scope.JOBS_WRITE),
    Endpoint("GET", "/jobs/{job_id}/results/{name}", files.result, "Jobs", "Download a result", "downloadResult",
             DOWNLOAD, (*FILE_ERRORS, InvalidSignature, UnknownResult, JobFailed, NotReady),
             (JOB, NAME, RANGE, IF_NONE_MATCH), scope=Scope.RESULTS_READ, signable=True),
    Endpoint("GET", "/jobs/{job_id}/original", files.original, "Jobs", "Download the source", "downloadOriginal",
             DOWNLOAD, (*FILE_ERRORS, InvalidSignature, SourceMissing, NotReady, OriginalWithheld,
              StorageUnavailable),
             (JOB, RANGE, IF_NONE_MATCH), scope=Scope.RESULTS_READ, signable=True),
    Endpoint("POST", "/batches", batches.submit, "Batches", "Upload many images", "createBatch",
             BATCH_ACCEPTED, (*UPLOAD, InvalidParameter, RequestInProgress, KeyReused, BatchTooLarge),
             (IDEMPOTENCY_KEY, SIGN, *batches.batch_parameters()), batches.batch_body(), scope=Scope.IMAGES_WRITE),
    Endpoint("GET", "/batches/{batch_id}", batches.show, "Batches", "Get a batch", "getBatch",
             (Answer(200, "The batch.", batches.BatchView),), (UnknownBatch, InvalidParameter, *QUEUE_AND_STORAGE),
             (BATCH, WAIT, PREFER, SIGN, IMAGES, AFTER), scope=Scope.JOBS_READ),
    Endpoint("GET", "/batches/{batch_id}/results.zip", batches.results, "Batches", "Download all results",
             "downloadBatch", (Answer(200, "The results.", media_types=batches.ARCHIVES),),
             (UnknownBatch, UnknownResult, NotReady, *QUEUE_AND_STORAGE), (BATCH,), scope=Scope.RESULTS_READ),
    Endpoint("GET", "/batches/{batch_id}/events", events.of_batch, "Events", "Follow a batch", "followBatch", EVENTS,
             (UnknownBatch, InvalidParameter, TooManyStreams, StreamsFull, InvalidSignature, *QUEUE_AND_STORAGE),
             (BATCH, LAST_EVENT_ID, LAST_EVENT_ID_TOO, SIGN), scope=Scope.JOBS_READ, signable=True),
    Endpoint("GET", "/jobs/{job_id}/deliveries", webhooks.deliveries_of_job, "Webhooks", "List a job's deliveries",
             "listJobDeliveries", (Answer(200, "The deliveries.", webhooks.DeliveriesView),),
             (*LOOKUP_ERRORS, InvalidParameter, StorageUnavailable, WrongStorage), (JOB, *PAGE_OF_DELIVERIES),
             scope=Scope.WEBHOOKS),
    Endpoint("GET", "/batches/{batch_id}/deliveries", webhooks.deliveries_of_batch, "Webhooks",
             "List a batch's deliveries", "listBatchDeliveries",
             (Answer(200, "The deliveries.", webhooks.DeliveriesView),),
             (UnknownBatch, InvalidParameter, *QUEUE_AND_STORAGE), (BATCH, *PAGE_OF_DELIVERIES), scope=Scope.WEBHOOKS),
    Endpoint("POST", "/webhooks", webhooks.create, "Webhooks", "Make a webhook", "createWebhook",
             (Answer(201, "The webhook, with its secret.", webhooks.SecretView),),
             (*BODY_ERRORS, *WEBHOOK_CHANGE_ERRORS, WebhookRefused, TooManyWebhooks), (),
             json_body(webhooks.NewWebhook), scope=Scope.WEBHOOKS),
    Endpoint("GET", "/webhooks", webhooks.list_all, "Webhooks", "List the webhooks", "listWebhooks",
             (Answer(200, "The webhooks.", webhooks.WebhooksView),), (StorageUnavailable, WrongStorage),
             scope=Scope.WEBHOOKS),
    Endpoint("DELETE", "/webhooks/{webhook_id}", webhooks.remove, "Webhooks", "Delete a webhook", "deleteWebhook",
             (Answer(204, "The webhook is deleted."),), (UnknownWebhook, *WEBHOOK_CHANGE_ERRORS), (WEBHOOK,),
             scope=Scope.WEBHOOKS),
    Endpoint("POST", "/webhooks/{webhook_id}/rotate", webhooks.rotate, "Webhooks", "Give a webhook another secret",
             "rotateWebhook", (Answer(200, "The webhook, with its new secret.", webhooks.SecretView),),
             (UnknownWebhook, *WEBHOOK_CHANGE_ERRORS), (WEBHOOK,), scope=Scope.WEBHOOKS),
    Endpoint("POST", "/webhooks/{webhook_id}/test", webhooks.test, "Webhooks", "Send a test event", "testWebhook",
             (Answer(202, "The delivery.", webhooks.DeliveryView),),
             (UnknownWebhook, QueueUnavailable, StorageUnavailable, WrongStorage), (WEBHOOK,), scope=Scope.WEBHOOKS),
    Endpoint("GET", "/webhooks/{webhook_id}/deliveries", webhooks.deliveries, "Webhooks",
             "List a webhook's deliveries", "listWebhookDeliveries",
             (Answer(200, "The deliveries.", webhooks.DeliveriesView),),
             (UnknownWebhook, InvalidParameter, *QUEUE_AND_STORAGE), (WEBHOOK, *PAGE_OF_DELIVERIES),
             scope=Scope.WEBHOOKS),
    Endpoint("POST", "/webhooks/{webhook_id}/replay", webhooks.replay_many, "Webhooks", "Send events again",
             "replayDeliveries", (Answer(202, "The new deliveries.", webhooks.DeliveriesView),),
             (*BODY_ERRORS, UnknownWebhook, QueueUnavailable, StorageUnavailable, WrongStorage), (WEBHOOK,),
             json_body(webhooks.Range), scope=Scope.WEBHOOKS),
    Endpoint("POST", "/deliveries/{delivery_id}/replay", webhooks.replay, "Webhooks", "Send one event again",
             "replayDelivery", (Answer(202, "The new delivery.", webhooks.DeliveryView),),
             (UnknownDelivery, UnknownWebhook, QueueUnavailable, StorageUnavailable, WrongStorage), (DELIVERY,),
             scope=Scope.WEBHOOKS),
    Endpoint("GET", "/healthz", operation.alive, "Operation", "Check that the process is alive", "getHealth",
             (Answer(200, "The process is alive.", operation.Health),)),
    Endpoint("GET", "/readyz", operation.ready, "Operation", "Check that the service is ready", "getReadiness",
             (Answer(200, "The service can accept and process images.", operation.Readiness),), (NotServing,)),
    Endpoint("GET", "/metrics", operation.scrape, "Operation", "Metrics for Prometheus", "getMetrics",
             (Answer(200, "Prometheus' text format.", media_types=("text/plain",)),), scope=Scope.ADMIN),
    Endpoint("GET", "/stats", stats.stats, "Operation", "Get numbers of the queue and the jobs", "getStats",
             (Answer(200, "Now, and in the last hour, day and week.", stats.StatsView),),
             (NotForTenants, QueueUnavailable), scope=Scope.ADMIN),
    Endpoint("GET", "/stats/history", stats.history, "Operation", "Get the numbers over time", "getHistory",
             (Answer(200, "The chart.", stats.HistoryView),), (NotForTenants, InvalidParameter, QueueUnavailable),
             (SPAN,), scope=Scope.ADMIN),
    Endpoint("GET", "/keys", keys.list_all, "Operation", "List the API keys", "listKeys",
             (Answer(200, "The keys, without their secrets.", keys.KeysView),), (QueueUnavailable,),
             scope=Scope.ADMIN),
    Endpoint("GET", "/workers", deployment.workers, "Operation", "List the workers", "listWorkers",
             (Answer(200, "The workers.", deployment.WorkersView),), (NotForTenants, QueueUnavailable),
             scope=Scope.ADMIN),
    Endpoint("GET", "/failures", deployment.failures, "Operation", "Get why jobs failed", "getFailures",
             (Answer(200, "The failures by error.", deployment.FailuresView),),
             (NotForTenants, InvalidParameter, QueueUnavailable), (SPAN,), scope=Scope.ADMIN),
    Endpoint("GET", "/system", deployment.system, "Operation", "Get the state of disk and Redis", "getSystem",
             (Answer(200, "The state.", deployment.SystemView),), (NotForTenants,), scope=Scope.ADMIN),
    Endpoint("GET", "/openapi.json", operation.openapi, "Operation", "Get the OpenAPI document", "getOpenApi",
             (Answer(200, "OpenAPI 3.1.", media_types=("application/json",)),)),
    *SESSIONS,
]
# fmt: on

# Pages for people; OpenAPI does not describe them.
PAGES = [
    Endpoint("GET", "/", pages.home, "Pages", "Where people upload images", "getHome", ()),
    Endpoint("GET", "/docs", pages.docs, "Pages", "Swagger UI", "getDocs", ()),
    Endpoint("GET", "/docs/errors", pages.errors, "Pages", "Explanations of the errors", "getErrors", ()),
    Endpoint("GET", "/assets/{version}/{path:path}", ASSETS.serve, "Pages", "Files of the pages", "getAsset", ()),
]
# They are there unless the setting DASHBOARD is off.
DASHBOARD = [
    Endpoint("GET", path, pages.dashboard, "Pages", "The dashboard", operation, ())
    for path, operation in (("/dashboard", "getDashboard"), ("/dashboard/{view:path}", "getDashboardView"))
]
