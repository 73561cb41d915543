"""Batches as clients send them, what each of their pictures was answered, and whether the service keeps to it."""

import io
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.chaos.fleet import Fleet
from tests.chaos.pictures import Picture
from tests.chaos.uploads import Kind, Upload, Way, in_pieces

# A request goes out in so many pieces, whatever its length.
PIECES = 8


@dataclass(frozen=True)
class Batch:
    """A batch as its client was told of it: the pictures by number, those of them that were accepted with their jobs.
    `is_complete`: no more pictures can come."""

    id: str
    pictures: Mapping[int, Picture]
    accepted: Mapping[int, str]
    is_complete: bool


async def send_batch(
    client: httpx.AsyncClient, pictures: Sequence[Picture], key: str, *, zipped: bool
) -> tuple[list[Upload], Batch | None]:
    """Sends the pictures together; what became of each, and the batch if there is an answer that names one.

    Without an answer it is unknown what became of any, and of those that an answer does not list. The web process may
    have died in the midst of an earlier request with this key, whose batch is the answer.
    """
    sent_at, way = time.time(), Way.ZIP if zipped else Way.PARTS
    try:
        answer = await _answer(client, pictures, key, zipped=zipped)
    except httpx.TransportError as error:
        moments = (sent_at, time.time())
        kind = Kind.UNREACHED if isinstance(error, httpx.ConnectError) else Kind.BROKEN
        return [Upload(one, kind, *moments, detail=repr(error), way=way) for one in pictures], None
    moments = (sent_at, time.time())
    if answer.status_code not in (httpx.codes.ACCEPTED, httpx.codes.MULTI_STATUS):
        told = {"status": answer.status_code, "retry_after": answer.headers.get("Retry-After")}
        return [Upload(one, Kind.REFUSED, *moments, way=way, **told) for one in pictures], None
    items = {item["number"]: item for item in answer.json()["jobs"]}
    uploads = [_upload(one, items.get(number), moments, way) for number, one in enumerate(pictures, 1)]
    accepted = {number: item["job"]["id"] for number, item in items.items() if item["job"]}
    return uploads, Batch(answer.json()["id"], dict(enumerate(pictures, 1)), accepted, answer.json()["complete"])


async def fault_of(fleet: Fleet, batch: Batch) -> str | None:
    """What is wrong with a batch whose jobs have all ended DONE: it must list them, count them and give their results.

    One that broke off may have further jobs, of pictures that had arrived when the web process died.
    """
    answer = await fleet.client.get(f"/batches/{batch.id}", params={"limit": 1000})
    if answer.status_code != httpx.codes.OK:
        return f"batch {batch.id} answers {answer.status_code}"
    shown = answer.json()
    items = {item["number"]: item for item in shown["jobs"]}
    jobs = {number: item["job"]["id"] for number, item in items.items() if item["job"]}
    if sum(shown["counts"].values()) != len(items):
        return f"batch {batch.id} counts {shown['counts']}, but lists {len(items)}"
    if shown["counts"].get("DONE", 0) != len(jobs) or not set(batch.accepted.items()) <= set(jobs.items()):
        return f"batch {batch.id} has {shown['counts']} and the jobs {jobs} in place of {batch.accepted}"
    if not batch.is_complete:
        return None
    if not shown["ended"] or jobs != batch.accepted:
        return f"batch {batch.id}: ended is {shown['ended']}, its jobs are {jobs} in place of {batch.accepted}"
    return await _fault_of_download(fleet, batch) if jobs else None


async def _fault_of_download(fleet: Fleet, batch: Batch) -> str | None:
    answer = await fleet.client.get(f"/batches/{batch.id}/results.zip")
    if answer.status_code != httpx.codes.OK:
        return f"batch {batch.id}: results.zip answers {answer.status_code}"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        if damaged := archive.testzip():
            return f"batch {batch.id}: results.zip has a damaged {damaged}"
        by_number = {int(name.partition("-")[0]): name for name in archive.namelist()}
        if len(archive.namelist()) != len(batch.accepted) or set(by_number) != set(batch.accepted):
            return f"batch {batch.id}: results.zip has {archive.namelist()}"
        for number, name in by_number.items():
            if fault := batch.pictures[number].fault_of("thumbnail", archive.read(name)):
                return f"batch {batch.id}: results.zip: {name}: {fault}"
    return None


async def _answer(client: httpx.AsyncClient, pictures: Sequence[Picture], key: str, *, zipped: bool) -> httpx.Response:
    if zipped:
        body, kind = _packed(pictures), "application/zip"
    else:
        parts = [("image", (f"{number}.jpg", one.data)) for number, one in enumerate(pictures, 1)]
        request = client.build_request("POST", "/batches", files=parts)
        body, kind = await request.aread(), request.headers["Content-Type"]
    headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Idempotency-Key": key}
    return await client.post("/batches", content=in_pieces(body, len(body) // PIECES + 1), headers=headers)


def _packed(pictures: Sequence[Picture]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, one in enumerate(pictures, 1):
            archive.writestr(f"{number}.jpg", one.data)
    return file.getvalue()


def _upload(picture: Picture, item: dict[str, Any] | None, moments: tuple[float, float], way: Way) -> Upload:
    if item is None:
        return Upload(picture, Kind.BROKEN, *moments, detail="not listed", way=way)
    if item["job"]:
        return Upload(picture, Kind.ACCEPTED, *moments, item["job"]["id"], item["status"], way=way)
    return Upload(picture, Kind.REFUSED, *moments, status=item["status"], detail=item["error"]["code"], way=way)
