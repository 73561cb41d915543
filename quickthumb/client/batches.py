"""Batches: many images in one request. What the service shows of them, and the calls as plans."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from quickthumb.client.answers import Job, job_of, parsed
from quickthumb.client.calls import until
from quickthumb.client.downloads import PartFile
from quickthumb.client.errors import StillRunning
from quickthumb.client.exchange import Do, Plan, Request, Retries, answered
from quickthumb.client.pictures import ImageInput, Order, Picture, fields_of, picture_of, values_of

PAGE_SIZE = 1000
# Images, or images by the file names under which they are sent.
Images = Iterable[ImageInput] | Mapping[str, ImageInput]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an image was refused, or why a batch has no more images. `code` is stable; the texts are for people."""

    status: int
    code: str
    title: str
    detail: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One image of a batch, by its number, from 1 on: its job, or why there is none."""

    number: int
    filename: str | None
    job: Job | None
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the service showed it at one moment.

    `complete` says that no more images come, `ended` that all their jobs have ended, too. `counts` are by the status of
    the jobs; `REFUSED` and `REMOVED` images have none. With a `refusal`, the request ended early: the batch has the
    images so far, and the others can be sent in another one.
    """

    id: str
    created_at: datetime
    complete: bool
    ended: bool
    counts: Mapping[str, int]
    items: tuple[BatchItem, ...]
    refusal: Refusal | None

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs of the images that have one, in their order."""
        return tuple(item.job for item in self.items if item.job is not None)


BatchOrId = Batch | str


class BatchCalls:
    """The plans of the calls on batches."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries

    def submit(
        self,
        images: Images,
        urls: Iterable[str],
        order: Order,
        parameters: Mapping[str, Any],
        idempotency_key: str | None,
    ) -> Plan[Batch]:
        pictures, listed = _pictures(images), list(urls)
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        if pictures:
            fields = (*fields_of(order, parameters), *(("urls", url) for url in listed))
            request = Request("POST", "/batches", headers=headers, fields=fields, pictures=pictures)
        else:
            content = {**values_of(order, parameters), "urls": listed}
            request = Request("POST", "/batches", headers=headers, content=content)
        batch, _ = _parsed((yield from answered(request, self._retries)).body)
        return batch

    def find(self, batch: BatchOrId) -> Plan[Batch]:
        """Asks for one page of images after the other. The batch is as the first of them shows it."""
        found: Batch | None = None
        items: list[BatchItem] = []
        while True:
            after = (("cursor", str(items[-1].number)),) if items else ()
            request = Request("GET", _path(batch), query=(("limit", str(PAGE_SIZE)), *after))
            page, is_last = _parsed((yield from answered(request, self._retries)).body)
            found = found or page
            items += page.items
            if is_last or not page.items:
                return replace(found, items=tuple(items))

    def wait(self, batch: BatchOrId, timeout_seconds: float | None) -> Plan[Batch]:
        def parse(body: bytes) -> Batch:
            return _parsed(body)[0]

        def is_over(found: Batch) -> bool:
            return found.ended

        found = yield from until(_path(batch), parse, is_over, self._retries, timeout_seconds)
        if not found.ended:
            raise StillRunning(f"The batch {found.id} had not ended after {timeout_seconds:g} s.")
        return (yield from self.find(batch))

    def download(self, batch: BatchOrId, place: Path) -> Plan[Path]:
        part = PartFile(place)
        path = f"{_path(batch)}/results.zip"

        def request() -> Request:
            return Request("GET", path, headers={"Accept-Encoding": "identity", **part.headers()}, sink=part)

        try:
            yield from answered(request, self._retries)
            yield Do(part.finish)
        finally:
            part.discard()
        return place


def _pictures(images: Images) -> tuple[Picture, ...]:
    if isinstance(images, Mapping):
        return tuple(picture_of(image, name) for name, image in images.items())
    if isinstance(images, (str, bytes)):
        raise TypeError("Give a list of images; for a single one, call `upload`.")
    return tuple(picture_of(image, None) for image in images)


def _path(batch: BatchOrId) -> str:
    return f"/batches/{quote(batch if isinstance(batch, str) else batch.id, safe='')}"


def _parsed(body: bytes) -> tuple[Batch, bool]:
    """The batch in an answer, with the images of this page, and whether that is the last one."""
    return parsed(body, lambda shown: (_batch(shown), shown["next"] is None))


def _batch(shown: Mapping[str, Any]) -> Batch:
    return Batch(
        id=str(shown["id"]),
        created_at=datetime.fromisoformat(shown["created_at"]),
        complete=bool(shown["complete"]),
        ended=bool(shown["ended"]),
        counts={str(name): int(count) for name, count in shown["counts"].items()},
        items=tuple(map(_item, shown["jobs"])),
        refusal=_refusal(shown["error"]),
    )


def _item(shown: Mapping[str, Any]) -> BatchItem:
    job = shown["job"]
    return BatchItem(
        number=int(shown["number"]),
        filename=shown["filename"],
        job=None if job is None else job_of(job),
        refusal=_refusal(shown["error"]),
    )


def _refusal(shown: Mapping[str, Any] | None) -> Refusal | None:
    if shown is None:
        return None
    names = ("status", "code", "title", "detail")
    return Refusal(**{name: shown[name] for name in names}, field=shown.get("field"))
