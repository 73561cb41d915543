"""Fetching a source within an attempt: what is kept, what is known of it, and the bounds of who submitted it."""

import hashlib
from collections.abc import AsyncIterator

import pytest

from quickthumb.intake.errors import TooManyBytes
from quickthumb.model.allowance import NO_BOUNDS, Bounds
from quickthumb.model.errors import OrderTooLarge, TooManyPixels
from quickthumb.model.job import Job, new_id, now
from quickthumb.model.limits import Limits
from quickthumb.model.opening import Opening, UrlPattern
from quickthumb.model.source import Fetch, Source
from quickthumb.outbound import Guard, OutboundClient
from quickthumb.outbound.allowed import AllowedUrls
from quickthumb.queue.attempts import Attempt, Attempts
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import JOB
from quickthumb.storage import FileStorage
from quickthumb.storage.layout import record_key
from quickthumb.work import fetch as fetching
from quickthumb.work.fetch import Fetcher, FetchFailed, FetchLater, FetchLimits
from quickthumb.work.handler import Done, Failed, Snooze
from quickthumb.work.render import RenderHandler
from quickthumb.work.runner import Runner
from tests.conftest import picture
from tests.outbound.origin import Origin, answer, origin
from tests.redis_fixtures import claimed
from tests.storage.jobs import content
from tests.work.test_runner import draw

IMAGE = picture()


@pytest.fixture
async def server() -> AsyncIterator[Origin]:
    async with origin() as made:
        made.replies["/a.jpg"] = answer(IMAGE)
        yield made


@pytest.fixture
def fetcher(server: Origin, storage: FileStorage) -> Fetcher:
    place = f"127.0.0.1:{server.port}"
    limits = FetchLimits(imaging=Limits(), max_bytes=1_000_000, budget_bytes=2**30, attempts=3, seconds=10)
    client = OutboundClient(Guard([Opening.read(place)]))
    return Fetcher(client, storage, AllowedUrls([UrlPattern.read(f"http://{place}/*")]), limits)


async def a_job(
    storage: FileStorage, server: Origin, path: str = "/a.jpg", bounds: Bounds = NO_BOUNDS
) -> tuple[Job, Fetch]:
    fetch = Fetch(url=f"http://127.0.0.1:{server.port}{path}", bounds=bounds)
    order = {"outputs": [{"name": "thumbnail", "width": 128, "height": 128}]}
    job = Job(id=new_id(), created_at=now(), source=Source(filename="a.jpg"), fetch=fetch, order=order)
    assert Job.from_record(job.record()) == job
    await storage.put(record_key(job.id), job.record())
    return job, fetch


def an_attempt(job: Job, **fields: str) -> Attempt:
    told = {name.encode(): value.encode() for name, value in fields.items()}
    return Attempt(kind=JOB, id=job.id, token="token", number=1, strike=1, fields=told)


async def test_a_source_is_kept_and_known(fetcher: Fetcher, storage: FileStorage, server: Origin) -> None:
    job, fetch = await a_job(storage, server)
    source = await fetcher.fetch(an_attempt(job), job, fetch)
    assert source.model_dump() == {
        "filename": "a.jpg",
        "format": "jpeg",
        "width": 400,
        "height": 300,
        "bytes": len(IMAGE),
        "sha256": hashlib.sha256(IMAGE).hexdigest(),
    }
    blob = await storage.source(job.id)
    assert blob is not None
    assert await content(storage, blob) == IMAGE
    # A later attempt finds it, and knows the same of it.
    assert await fetcher.identify(job, blob) == source
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("bounds", "refusal"),
    [
        (Bounds(max_bytes=len(IMAGE) - 1), TooManyBytes),
        (Bounds(max_pixels=400 * 300 - 1), TooManyPixels),
        (Bounds(max_output_pixels=100), OrderTooLarge),
    ],
)
async def test_the_bounds_of_the_submitter(
    fetcher: Fetcher, storage: FileStorage, server: Origin, bounds: Bounds, refusal: type[Exception]
) -> None:
    job, fetch = await a_job(storage, server, bounds=bounds)
    with pytest.raises(refusal):
        await fetcher.fetch(an_attempt(job), job, fetch)
    assert await storage.source(job.id) is None


async def test_the_pauses_grow_until_the_last_attempt(fetcher: Fetcher, storage: FileStorage, server: Origin) -> None:
    server.replies["/busy"] = answer(b"", "503 Service Unavailable")
    job, fetch = await a_job(storage, server, "/busy")
    fields: dict[str, str] = {}
    for pause in (1, 2):
        with pytest.raises(FetchLater) as caught:
            await fetcher.fetch(an_attempt(job, **fields), job, fetch)
        assert caught.value.seconds == pause
        fields = dict(caught.value.fields)
    with pytest.raises(FetchFailed, match="503"):
        await fetcher.fetch(an_attempt(job, **fields), job, fetch)


async def test_the_server_says_when(fetcher: Fetcher, storage: FileStorage, server: Origin) -> None:
    server.replies["/busy"] = answer(b"", "429 Too Many Requests", Retry_After="100")
    job, fetch = await a_job(storage, server, "/busy")
    with pytest.raises(FetchLater) as caught:
        await fetcher.fetch(an_attempt(job), job, fetch)
    assert caught.value.seconds == 100


async def test_a_job_without_a_place_waits_and_counts_nothing(
    fetcher: Fetcher, storage: FileStorage, server: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "FETCHES_AT_ONCE", 0)
    job, fetch = await a_job(storage, server)
    with pytest.raises(FetchLater) as caught:
        await fetcher.fetch(an_attempt(job), job, fetch)
    assert not caught.value.fields
    assert not server.requests


async def test_a_record_without_a_url_is_as_it_was(storage: FileStorage, server: Origin) -> None:
    job, _ = await a_job(storage, server)
    assert b"fetch" not in job.model_copy(update={"fetch": None}).record()
    assert b"bounds" not in job.record()


async def test_what_an_earlier_attempt_kept_is_not_fetched_again(
    store: JobStore, attempts: Attempts, storage: FileStorage, fetcher: Fetcher, server: Origin
) -> None:
    job, _ = await a_job(storage, server)
    await store.add(job)
    async with storage.supply(job.id, "a worker that died") as arrival:
        await arrival.write(IMAGE)
        await arrival.keep(b"")
    handler = RenderHandler(store, attempts, storage, draw, draw, lease_seconds=5, max_attempts=3, fetcher=fetcher)
    verdict = await Runner(attempts, lease_seconds=5).run(handler, await claimed(attempts, job.id))
    assert isinstance(verdict, Done)
    done = await store.get(job.id)
    assert done is not None
    assert (done.source.bytes, done.source.sha256) == (len(IMAGE), hashlib.sha256(IMAGE).hexdigest())
    assert not server.requests


async def test_a_failure_that_may_pass_is_no_strike(
    store: JobStore, attempts: Attempts, storage: FileStorage, fetcher: Fetcher, server: Origin
) -> None:
    server.replies["/busy"] = answer(b"", "503 Service Unavailable")
    job, _ = await a_job(storage, server, "/busy")
    await store.add(job)
    handler = RenderHandler(store, attempts, storage, draw, draw, lease_seconds=5, max_attempts=1, fetcher=fetcher)
    runner = Runner(attempts, lease_seconds=5)
    for _ in range(2):
        verdict = await runner.run(handler, await claimed(attempts, job.id))
        assert isinstance(verdict, Snooze)
        assert verdict.blameless
    verdict = await runner.run(handler, await claimed(attempts, job.id))
    assert isinstance(verdict, Failed)
    assert verdict.error.detail == "127.0.0.1 answered 503 Service Unavailable."
    # A retry begins to count anew.
    failed = await storage.look_up(job.id)
    assert failed.outcome is not None
    await storage.reopen(job.id, failed.outcome)
    await store.reopen(job)
    assert isinstance(await runner.run(handler, await claimed(attempts, job.id)), Snooze)
