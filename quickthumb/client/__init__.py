"""A typed client of the service's HTTP API, for programs that upload images and download results.

    with Client("http://127.0.0.1:8000") as client:
        job = client.wait(client.upload("photo.jpg", preset="avatar"))
        for result in job.results.values():
            client.download(result, f"{result.name}.{result.format}")

`AsyncClient` has the same methods to await. The package imports nothing else of QuickThumb, and reads no settings.
"""

from quickthumb.client.answers import Failure, Job, JobAttempt, Result, Source, Status
from quickthumb.client.asynchronous import AsyncClient
from quickthumb.client.batches import Batch, BatchItem, Refusal
from quickthumb.client.blocking import Client
from quickthumb.client.errors import (
    ClientError,
    DamagedDownload,
    Problem,
    StillRunning,
    UnexpectedAnswer,
    Unreachable,
)
from quickthumb.client.events import JobEvent
from quickthumb.client.exchange import Retries
from quickthumb.client.webhooks import Delivery, DeliveryAttempt, Webhook

__all__ = [
    "AsyncClient",
    "Batch",
    "BatchItem",
    "Client",
    "ClientError",
    "DamagedDownload",
    "Delivery",
    "DeliveryAttempt",
    "Failure",
    "Job",
    "JobAttempt",
    "JobEvent",
    "Problem",
    "Refusal",
    "Result",
    "Retries",
    "Source",
    "Status",
    "StillRunning",
    "UnexpectedAnswer",
    "Unreachable",
    "Webhook",
]
