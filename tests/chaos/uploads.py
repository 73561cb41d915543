"""Uploads as clients make them, and exactly what each was answered."""

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

import httpx

from tests.chaos.pictures import Picture, any_job, any_picture

PIECE_BYTES = 512 * 1024
PIECE_SECONDS = 0.03
# Sends something, and returns how many pictures that were.
Send = Callable[[httpx.AsyncClient], Awaitable[int]]


class Way(Enum):
    """How a picture is handed in."""

    UPLOAD = "plain"
    HOOK = "with a webhook of its own"
    URL = "by URL"
    PARTS = "in a batch"
    ZIP = "in a ZIP"
    TWIN = "with dedupe"


class Kind(Enum):
    """What a client knows after an upload."""

    ACCEPTED = "answered 202"
    REFUSED = "answered with an error"
    BROKEN = "not answered"
    UNREACHED = "not even sent"


@dataclass(frozen=True)
class Upload:
    """One upload: its picture and its answer. Moments are in seconds since the epoch."""

    picture: Picture
    kind: Kind
    sent_at: float
    answered_at: float
    job_id: str = ""
    status: int = 0
    retry_after: str | None = None
    detail: str = ""
    way: Way = Way.UPLOAD

    @property
    def in_batch(self) -> bool:
        return self.way in (Way.PARTS, Way.ZIP)


async def upload(
    client: httpx.AsyncClient,
    picture: Picture,
    parameters: Mapping[str, str] | None = None,
    key: str | None = None,
    *,
    url: str | None = None,
) -> Upload:
    """Sends one picture, or only its `url`. Once 202 and the job's address have arrived the upload counts as accepted,
    even when the connection breaks right behind them."""
    sent_at = time.time()
    content, kind = (picture.data, picture.content_type) if url is None else (_as_json(url), "application/json")
    headers = {"Content-Type": kind, "Content-Length": str(len(content))}
    headers |= {"Idempotency-Key": key} if key else {}
    status, answer = 0, httpx.Headers()
    try:
        async with client.stream(
            "POST", "/images/", content=in_pieces(content), headers=headers, params=parameters
        ) as response:
            status, answer = response.status_code, response.headers
            await response.aread()
    except httpx.ConnectError as error:
        return Upload(picture, Kind.UNREACHED, sent_at, time.time(), detail=repr(error))
    except httpx.TransportError as error:
        if not status:
            return Upload(picture, Kind.BROKEN, sent_at, time.time(), detail=repr(error))
    if status == httpx.codes.ACCEPTED:
        job_id = answer["Location"].rpartition("/")[2]
        return Upload(picture, Kind.ACCEPTED, sent_at, time.time(), job_id, status)
    return Upload(picture, Kind.REFUSED, sent_at, time.time(), status=status, retry_after=answer.get("Retry-After"))


async def in_pieces(data: bytes, piece_bytes: int = PIECE_BYTES) -> AsyncIterator[bytes]:
    """As a client on a slower network sends it, so that a fault may fall into the middle of it."""
    for start in range(0, len(data), piece_bytes):
        yield data[start : start + piece_bytes]
        await asyncio.sleep(PIECE_SECONDS)


def _as_json(url: str) -> bytes:
    return json.dumps({"url": url}).encode()


@dataclass
class Stream:
    """All uploads of one scenario."""

    uploads: list[Upload] = field(default_factory=list)

    def of(self, *kinds: Kind) -> list[Upload]:
        return [upload for upload in self.uploads if upload.kind in kinds]

    @property
    def accepted(self) -> list[Upload]:
        return self.of(Kind.ACCEPTED)

    def by_source(self) -> dict[str, list[Upload]]:
        """The uploads of each picture, by its SHA-256."""
        grouped: dict[str, list[Upload]] = defaultdict(list)
        for sent in self.uploads:
            grouped[sent.picture.sha256].append(sent)
        return grouped

    def refused(self) -> Counter[str]:
        """How many got which status, and how many no answer or no connection."""
        return Counter(
            str(upload.status) if upload.kind is Kind.REFUSED else upload.kind.value
            for upload in self.uploads
            if upload.kind is not Kind.ACCEPTED
        )

    async def send(
        self,
        client: httpx.AsyncClient,
        picture: Picture,
        parameters: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Upload:
        self.uploads.append(await upload(client, picture, parameters, key))
        return self.uploads[-1]

    async def accept(
        self, client: httpx.AsyncClient, picture: Picture, parameters: Mapping[str, str] | None = None
    ) -> str:
        """Sends one that has to be accepted; the id of its job."""
        sent = await self.send(client, picture, parameters)
        assert sent.kind is Kind.ACCEPTED, f"{sent.kind.value}: {sent.status} {sent.detail}"
        return sent.job_id

    async def send_many(
        self,
        client: httpx.AsyncClient,
        chance: random.Random,
        count: int,
        at_once: int = 4,
        *,
        send: Send | None = None,
    ) -> None:
        """Sends `count` pictures, `at_once` of them at a time. `send` sends something else."""
        sent = 0

        async def send_any_picture(to: httpx.AsyncClient) -> int:
            await self.send(to, any_picture(chance))
            return 1

        async def one_client() -> None:
            nonlocal sent
            while sent < count:
                sent += 1
                count_at_once = await (send or send_any_picture)(client)
                sent += count_at_once - 1

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(one_client())

    @asynccontextmanager
    async def flowing(
        self,
        client: httpx.AsyncClient,
        chance: random.Random,
        *,
        clients: int = 3,
        most: int,
        pace_seconds: float,
        send: Send | None = None,
    ) -> AsyncIterator[None]:
        """While the block lasts, `clients` send one picture after another, `most` at most, each at its pace. `send`
        sends something else."""
        over, sent = asyncio.Event(), 0

        async def send_any_job(to: httpx.AsyncClient) -> int:
            await self.send(to, *any_job(chance))
            return 1

        async def one_client() -> None:
            nonlocal sent
            while not over.is_set() and sent < most:
                count = await (send or send_any_job)(client)
                sent += count
                await _happens(over, count * pace_seconds * chance.uniform(0.5, 1.5))

        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(one_client())
            try:
                yield
            finally:
                over.set()


async def _happens(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
