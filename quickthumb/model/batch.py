"""A batch: images that came in one request. Each is accepted or refused by itself, and has a job of its own."""

import hashlib
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.errors import QuickThumbError


class Refusal(BaseModel):
    """Why an image of a batch was refused, or why the batch has no more images, in the terms of the catalogue of
    errors."""

    model_config = ConfigDict(frozen=True)

    code: str
    status: int
    title: str
    detail: str
    field: str | None = None

    @classmethod
    def of(cls, error: QuickThumbError) -> "Refusal":
        return cls(code=error.code, status=error.status, title=error.title, detail=error.detail, field=error.field)


# How an image without a job is counted.
REFUSED, REMOVED = "REFUSED", "REMOVED"


class BatchItem(BaseModel):
    """One image of a batch, by its number, from 1 on. Its job has the id that follows from that, if it was accepted."""

    model_config = ConfigDict(frozen=True)

    number: int
    filename: str | None = None
    refusal: Refusal | None = None


class BatchRecord(BaseModel):
    """What the storage keeps of a batch from its first image on. It has at most `most` images.

    `webhook` is the URL to post to when it has ended; `tags` and `context` are those of all its jobs.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    tenant: str = DEFAULT_TENANT
    created_at: datetime
    most: int
    webhook: str | None = None
    tags: tuple[str, ...] = ()
    context: dict[str, Any] | None = None


class BatchContents(BaseModel):
    """What the storage keeps of a batch once no more images can come: all of them, and the error with which the request
    ended, if it ended early."""

    model_config = ConfigDict(frozen=True)

    items: tuple[BatchItem, ...]
    error: Refusal | None = None


class BatchEnd(BaseModel):
    """What the storage keeps of a batch once no more images can come and all jobs have ended, whatever becomes of them
    later. `counts` says how many images had which status."""

    model_config = ConfigDict(frozen=True)

    finished_at: datetime
    counts: dict[str, int]


def batch_job_id(batch_id: str, number: int) -> str:
    """The id of the job of the image with this number.

    Since it follows from the id of the batch, no list of its jobs can be lost or be wrong. It can be guessed only by
    those who know that id.
    """
    return hashlib.sha256(f"{batch_id}/{number}".encode()).hexdigest()[:32]
