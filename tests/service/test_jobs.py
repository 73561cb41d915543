"""The job verbs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image
from redis.asyncio import Redis

from quickthumb.compat.image_resizer import NotSquare
from quickthumb.config import BUILT_IN_PRESETS
from quickthumb.imaging.header import Header
from quickthumb.intake import IntakeLimits
from quickthumb.intake.errors import TooManyBytes, UnsupportedMediaType
from quickthumb.model.caller import ANONYMOUS
from quickthumb.model.errors import (
    InvalidParameter,
    MalformedRequest,
    OrderTooLarge,
    QuickThumbError,
    SourceMissing,
    TooManyPixels,
    UnsupportedImage,
)
from quickthumb.model.job import Failure, Job, Outcome, Result, Status, now
from quickthumb.model.limits import Limits
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.connection import connect
from quickthumb.queue.errors import QueueUnavailable, RequestInProgress
from quickthumb.queue.idempotency import Idempotency
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import KEYS
from quickthumb.queue.policies import PolicyClaims
from quickthumb.queue.watch import JobWatch
from quickthumb.service.accept import Acceptance
from quickthumb.service.downloads import Download
from quickthumb.service.errors import KeyReused, NotReady, QueueFull, UnknownJob, UnknownResult, WrongState
from quickthumb.service.jobs import LOOK_AGAIN_SECONDS, ImageService
from quickthumb.service.policies import PolicyUses
from quickthumb.service.presets import TenantPresets, read_presets
from quickthumb.service.sources import SourceIntake
from quickthumb.service.submit import Submission, Upload
from quickthumb.storage import FileStorage, Kept, Storage
from quickthumb.storage.errors import DiskFull
from tests.conftest import picture
from tests.redis_fixtures import claimed, finished, is_held
from tests.redis_server import RedisServer
from tests.storage.jobs import content
from tests.waiting import wait_until

INTAKE_LIMITS = IntakeLimits(
    max_upload_bytes=8_000_000, max_fields=8, max_fields_bytes=1_000, idle_seconds=5, total_seconds=5
)
LIMITS = Limits(max_pixels=1_000_000, max_output_pixels=5_000_000)
BUDGET_BYTES = 8 * 1024 * 1024
PRESETS = TenantPresets(read_presets(BUILT_IN_PRESETS))


def service_of(store: JobStore, storage: Storage, watch: JobWatch, client: Redis) -> ImageService:
    acceptance = Acceptance(store, storage, Idempotency(client), max_queued=3)
    sources = SourceIntake(storage, INTAKE_LIMITS, LIMITS)
    policies = PolicyUses(PolicyClaims(client), storage)
    submission = Submission(sources, acceptance, PRESETS, limits=LIMITS, budget_bytes=BUDGET_BYTES, policies=policies)
    return ImageService(store, storage, watch, submission)


@pytest.fixture
async def service(client: Redis, store: JobStore, storage: FileStorage) -> AsyncIterator[ImageService]:
    watch = JobWatch(client)
    yield service_of(store, storage, watch, client)
    await watch.close()


@pytest.fixture
def kept(folder: Path) -> Callable[[], list[Path]]:
    """All stored files, and all folders of unfinished uploads and workspaces; not the tombstones of removed jobs."""
    return lambda: [
        path
        for path in folder.rglob("*")
        if path.parent.name in (".arriving", ".making") or (path.is_file() and path.parent.name != ".removed")
    ]


def upload(
    image: bytes, *parameters: tuple[str, Any], content_type: str = "image/jpeg", breaks_off: bool = False
) -> Upload:
    async def body() -> AsyncIterator[bytes]:
        for start in range(0, len(image), 8_192):
            yield image[start : start + 8_192]
        if breaks_off:
            raise ConnectionResetError

    return Upload(body(), content_type, None, parameters)


async def read(download: Download, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([block async for block in download.read(start, end)])


async def ended(attempts: Attempts, storage: FileStorage, job: Job) -> None:
    """What a worker does."""
    attempt = await claimed(attempts, job.id, lease_seconds=5)
    async with storage.workspace(job.id, attempt.token) as folder:
        (folder / "thumbnail.jpg").write_bytes(b"result")
        result = Result(name="thumbnail", filename="thumbnail.jpg", format="jpeg", width=128, height=96, bytes=6)
        outcome = Outcome(status=Status.DONE, finished_at=now(), source=job.source, results=(result,))
        await storage.conclude(job.id, folder, outcome.model_dump_json().encode(), [result.filename])
    await finished(attempts, attempt, outcome, busy_seconds=0)


async def test_what_is_accepted_is_on_disk_and_queued(
    service: ImageService, store: JobStore, storage: FileStorage
) -> None:
    image = picture(400, 300)
    job = await service.submit(ANONYMOUS, upload(image, ("width", "64")))
    assert await store.get(job.id) == job
    assert (job.status, job.outputs) == (Status.WAITING, ({"name": "thumbnail", "width": 64},))
    assert (job.source.format, job.source.width, job.source.height) == ("jpeg", 400, 300)
    assert job.source.bytes == len(image)
    on_disk = await storage.look_up(job.id)
    assert await content(storage, on_disk.source) == image
    assert on_disk.record is not None
    assert Job.from_record(on_disk.record) == job


async def test_an_order_that_is_too_large_is_refused_by_the_header_of_a_bare_image(
    service: ImageService, kept: Callable[[], list[Path]]
) -> None:
    image, arrived = picture(900, 900, "PNG"), 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal arrived
        for start in range(0, len(image), 1024):
            arrived += 1
            yield image[start : start + 1024]

    order = [("size", "3000x3000"), ("enlarge", "yes")]
    with pytest.raises(OrderTooLarge, match="9000000 pixels together; MAX_OUTPUT_PIXELS allows at most 5000000"):
        await service.submit(ANONYMOUS, Upload(body(), "image/png", None, order))
    assert arrived <= 2 < len(image) / 1024
    assert kept() == []


async def test_an_order_that_needs_more_memory_than_workers_have_is_refused(
    service: ImageService, kept: Callable[[], list[Path]]
) -> None:
    size = ("size", "2000x2000"), ("enlarge", "yes")
    wide = upload(picture(999, 999, "PNG"), *size, content_type="image/png")
    with pytest.raises(OrderTooLarge, match="DECODE_BUDGET_BYTES allows at most 8388608"):
        await service.submit(ANONYMOUS, wide)
    assert kept() == []


async def test_a_job_has_the_upright_size_from_the_start(service: ImageService) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    file = BytesIO()
    Image.new("RGB", (40, 30)).save(file, "JPEG", exif=exif)
    job = await service.submit(ANONYMOUS, upload(file.getvalue()))
    assert (job.source.width, job.source.height) == (30, 40)


@pytest.mark.parametrize(
    ("refused", "kind"),
    [
        (lambda: upload(b"%PDF-1.7" * 1_000), UnsupportedImage),
        (lambda: upload(picture(), content_type="text/html"), UnsupportedMediaType),
        (lambda: upload(picture(1_001, 1_000)), TooManyPixels),
        (lambda: upload(picture() + b"x" * 8_000_000), TooManyBytes),
        (lambda: upload(picture(), ("widht", "64")), InvalidParameter),
        (lambda: upload(b""), QuickThumbError),
        (lambda: upload(b"--x\r\n", content_type="multipart/form-data; boundary=x"), MalformedRequest),
        (lambda: upload(picture(), breaks_off=True), ConnectionResetError),
        (lambda: Upload(upload(b"").body, "image/jpeg", 10**9, ()), TooManyBytes),
    ],
)
async def test_what_is_refused_leaves_nothing(
    service: ImageService,
    redis: Redis,
    kept: Callable[[], list[Path]],
    refused: Callable[[], Upload],
    kind: type[Exception],
) -> None:
    with pytest.raises(kind):
        await service.submit(ANONYMOUS, refused())
    assert kept() == []
    assert set(await redis.keys("*")) <= {b"quickthumb:probe"}


async def test_an_upload_that_is_cancelled_leaves_nothing(
    service: ImageService, redis: Redis, kept: Callable[[], list[Path]]
) -> None:
    arrived = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield picture() + b"x" * 6_000_000
        arrived.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(service.submit(ANONYMOUS, Upload(body(), "image/jpeg", None, ())))
    await arrived.wait()
    await wait_until(lambda: bool(kept()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept() == []
    assert not await redis.exists(KEYS.queue)


async def test_with_redis_away_nothing_is_taken_and_nothing_stays(
    tmp_path: Path, storage: FileStorage, kept: Callable[[], list[Path]]
) -> None:
    async with (
        RedisServer(tmp_path / "redis") as server,
        connect(server.url, Redis, attempts=1, answer_seconds=1.0) as client,
    ):
        watch = JobWatch(client)
        store = JobStore(client, retention_seconds=60)
        service = service_of(store, storage, watch, client)
        await server.kill()
        with pytest.raises(QueueUnavailable):
            await service.submit(ANONYMOUS, upload(picture()))
        assert kept() == []
        await server.start()

        async def goes_away_meanwhile() -> AsyncIterator[bytes]:
            yield picture()
            await server.kill()

        with pytest.raises(QueueUnavailable):
            await service.submit(ANONYMOUS, Upload(goes_away_meanwhile(), "image/jpeg", None, ()))
        assert kept() == []
        await server.start()
        job = await service.submit(ANONYMOUS, upload(picture()))
        assert (await service.find(ANONYMOUS, job.id)).status is Status.WAITING
        await watch.close()


async def test_with_the_disk_full_nothing_is_queued(
    service: ImageService, storage: FileStorage, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full() -> None:
        raise DiskFull("The server's disk is almost full.")

    monkeypatch.setattr(storage, "probe", full)
    with pytest.raises(DiskFull):
        await service.submit(ANONYMOUS, upload(picture()))
    assert not await redis.exists(KEYS.queue)


async def test_waiting_ends_with_the_job(service: ImageService, attempts: Attempts, storage: FileStorage) -> None:
    job = await service.submit(ANONYMOUS, upload(picture()))
    waiting = asyncio.create_task(service.wait(ANONYMOUS, job.id, 30))
    await asyncio.sleep(0)
    begun = asyncio.get_running_loop().time()
    await ended(attempts, storage, job)
    assert (await waiting).status is Status.DONE
    assert asyncio.get_running_loop().time() - begun < LOOK_AGAIN_SECONDS / 2
    assert (await service.wait(ANONYMOUS, job.id, 30)).status is Status.DONE


async def test_waiting_ends_with_the_time(service: ImageService) -> None:
    job = await service.submit(ANONYMOUS, upload(picture()))
    begun = asyncio.get_running_loop().time()
    assert (await service.wait(ANONYMOUS, job.id, 0.2)).status is Status.WAITING
    assert 0.19 < asyncio.get_running_loop().time() - begun < 1


async def test_waiting_for_a_job_that_is_removed(service: ImageService) -> None:
    job = await service.submit(ANONYMOUS, upload(picture()))
    waiting = asyncio.create_task(service.wait(ANONYMOUS, job.id, 30))
    await asyncio.sleep(0)
    await service.remove(ANONYMOUS, job.id)
    with pytest.raises(UnknownJob):
        await waiting


@pytest.mark.parametrize("job_id", ["a" * 32, "../../etc/passwd", "", "A" * 32, "*" * 32])
async def test_a_job_that_is_not_known(service: ImageService, job_id: str) -> None:
    for asking in (
        service.find(ANONYMOUS, job_id),
        service.wait(ANONYMOUS, job_id, 1),
        service.result(ANONYMOUS, job_id, "thumbnail"),
        service.original(ANONYMOUS, job_id),
        service.remove(ANONYMOUS, job_id),
    ):
        with pytest.raises(UnknownJob):
            await asking


async def test_results_when_they_are_there(service: ImageService, attempts: Attempts, storage: FileStorage) -> None:
    job = await service.submit(ANONYMOUS, upload(picture()))
    with pytest.raises(NotReady):
        await service.result(ANONYMOUS, job.id, "thumbnail")
    with pytest.raises(UnknownResult):
        await service.result(ANONYMOUS, job.id, "poster")
    await ended(attempts, storage, job)
    _, result, download = await service.result(ANONYMOUS, job.id, "thumbnail")
    assert (result.bytes, await read(download)) == (6, b"result")
    await storage.remove(job.id)
    with pytest.raises(UnknownResult):
        await read(download)
    with pytest.raises(UnknownResult):
        await service.result(ANONYMOUS, job.id, "thumbnail")
    with pytest.raises(SourceMissing):
        await service.original(ANONYMOUS, job.id)


async def test_removing_leaves_nothing(
    service: ImageService, attempts: Attempts, storage: FileStorage, kept: Callable[[], list[Path]]
) -> None:
    waiting, done = (
        await service.submit(ANONYMOUS, upload(picture())),
        await service.submit(ANONYMOUS, upload(picture())),
    )
    await ended(attempts, storage, done)
    for job in (waiting, done):
        await service.remove(ANONYMOUS, job.id)
        with pytest.raises(UnknownJob):
            await service.find(ANONYMOUS, job.id)
    assert kept() == []


async def test_a_job_that_redis_has_forgotten_can_still_be_removed(
    service: ImageService, store: JobStore, kept: Callable[[], list[Path]]
) -> None:
    job = await service.submit(ANONYMOUS, upload(picture()))
    await store.remove(job.id)
    await service.remove(ANONYMOUS, job.id)
    assert kept() == []


def failed(job: Job) -> Outcome:
    failure = Failure(code="broken_image", title="The image is damaged", detail="It ends too early.")
    return Outcome(status=Status.FAILED, finished_at=now(), source=job.source, error=failure)


async def has_failed(attempts: Attempts, storage: FileStorage, job: Job) -> None:
    attempt = await claimed(attempts, job.id, lease_seconds=5)
    async with storage.workspace(job.id, attempt.token) as folder:
        await storage.conclude(job.id, folder, failed(job).model_dump_json().encode())
    await finished(attempts, attempt, failed(job), busy_seconds=0)


async def test_a_waiting_job_is_cancelled_for_good(service: ImageService, storage: FileStorage, redis: Redis) -> None:
    job = await service.submit(ANONYMOUS, upload(picture()))
    cancelled = await service.cancel(ANONYMOUS, job.id)
    assert (cancelled.status, cancelled.results) == (Status.CANCELLED, ())
    assert cancelled.finished_at is not None
    assert await redis.zscore(KEYS.queue, job.id) is None
    assert await service.cancel(ANONYMOUS, job.id) == cancelled
    with pytest.raises(WrongState):
        await service.retry(ANONYMOUS, job.id)


async def test_a_running_job_that_is_cancelled_cannot_be_done(
    service: ImageService, store: JobStore, attempts: Attempts, storage: FileStorage
) -> None:
    job = await service.submit(ANONYMOUS, upload(picture()))
    attempt = await claimed(attempts, job.id, lease_seconds=5)
    await service.cancel(ANONYMOUS, job.id)
    assert not await is_held(attempts, attempt, lease_seconds=5)
    done = Outcome(status=Status.DONE, finished_at=now(), source=job.source)
    async with storage.workspace(job.id, attempt.token) as folder:
        standing = await storage.conclude(job.id, folder, done.model_dump_json().encode())
    assert Outcome.model_validate_json(standing).status is Status.CANCELLED
    assert not await finished(attempts, attempt, done, busy_seconds=0)
    assert (await service.find(ANONYMOUS, job.id)).status is Status.CANCELLED


async def test_what_has_ended_cannot_be_cancelled(
    service: ImageService, attempts: Attempts, storage: FileStorage
) -> None:
    job = await service.submit(ANONYMOUS, upload(picture()))
    await ended(attempts, storage, job)
    with pytest.raises(WrongState):
        await service.cancel(ANONYMOUS, job.id)
    assert (await service.find(ANONYMOUS, job.id)).status is Status.DONE
    with pytest.raises(UnknownJob):
        await service.cancel(ANONYMOUS, "0" * 32)


async def test_a_failed_job_is_tried_again_with_a_clean_slate(
    service: ImageService, store: JobStore, attempts: Attempts, storage: FileStorage, redis: Redis
) -> None:
    job = await service.submit(ANONYMOUS, upload(picture()))
    with pytest.raises(WrongState):
        await service.retry(ANONYMOUS, job.id)
    await has_failed(attempts, storage, job)
    again = await service.retry(ANONYMOUS, job.id)
    assert (again.status, again.error, again.finished_at, again.attempts) == (Status.WAITING, None, None, 1)
    assert await redis.zscore(KEYS.queue, job.id) is not None
    attempt = await claimed(attempts, job.id, lease_seconds=5)
    assert (attempt.number, attempt.strike) == (2, 1)
    assert (await storage.look_up(job.id)).outcome is None


async def test_a_job_that_failed_in_quarantine_is_tried_again_in_quarantine(
    service: ImageService, store: JobStore, attempts: Attempts, storage: FileStorage
) -> None:
    job = await service.submit(ANONYMOUS, upload(picture()))
    await claimed(attempts, job.id, lease_seconds=5)  # by a worker that died
    await has_failed(attempts, storage, job)
    await service.retry(ANONYMOUS, job.id)
    attempt = await claimed(attempts, job.id, lease_seconds=5)
    assert (attempt.number, attempt.strike) == (3, 2)


async def test_a_request_sent_again_makes_no_second_job(service: ImageService, kept: Callable[[], list[Path]]) -> None:
    first = await service.submit(ANONYMOUS, replace(upload(picture()), idempotency_key="one"))
    files = kept()
    assert await service.submit(ANONYMOUS, replace(upload(picture()), idempotency_key="one")) == first
    assert kept() == files
    other = await service.submit(ANONYMOUS, replace(upload(picture()), idempotency_key="two"))
    assert other.id != first.id


@pytest.mark.parametrize(
    "other", [upload(picture(401, 300)), upload(picture(), ("width", "64"))], ids=["another image", "another width"]
)
async def test_another_request_under_the_same_key_is_refused(
    service: ImageService, other: Upload, kept: Callable[[], list[Path]]
) -> None:
    await service.submit(ANONYMOUS, replace(upload(picture()), idempotency_key="one"))
    files = kept()
    with pytest.raises(KeyReused):
        await service.submit(ANONYMOUS, replace(other, idempotency_key="one"))
    assert kept() == files


async def test_a_key_is_free_again_when_its_request_was_refused(service: ImageService) -> None:
    with pytest.raises(UnsupportedImage):
        await service.submit(ANONYMOUS, replace(upload(b"%PDF-1.7"), idempotency_key="one"))
    assert (await service.submit(ANONYMOUS, replace(upload(picture()), idempotency_key="one"))).status is Status.WAITING


async def test_the_same_request_at_the_same_time_is_refused(service: ImageService) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield picture()[:10]
        arrived.set()
        await go_on.wait()
        yield picture()[10:]

    slow = asyncio.create_task(service.submit(ANONYMOUS, Upload(body(), "image/jpeg", None, (), "one")))
    await arrived.wait()
    with pytest.raises(RequestInProgress):
        await service.submit(ANONYMOUS, replace(upload(picture()), idempotency_key="one"))
    go_on.set()
    first = await slow
    assert await service.submit(ANONYMOUS, replace(upload(picture()), idempotency_key="one")) == first


async def test_too_many_waiting_jobs_turn_uploads_away_before_their_body(service: ImageService) -> None:
    for _ in range(3):
        await service.submit(ANONYMOUS, upload(picture()))

    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    with pytest.raises(QueueFull):
        await service.submit(ANONYMOUS, Upload(body(), "image/jpeg", None, ()))


async def test_a_door_may_refuse_by_the_header_before_anything_is_kept(
    service: ImageService, kept: Callable[[], list[Path]]
) -> None:
    seen: list[Header] = []

    def refuse(header: Header) -> None:
        seen.append(header)
        raise NotSquare("It is not.")

    with pytest.raises(NotSquare):
        await service.submit(ANONYMOUS, upload(picture(400, 300)), check=refuse)
    assert seen == [Header("jpeg", 400, 300)]
    assert kept() == []


async def test_a_door_may_settle_what_is_made(service: ImageService) -> None:
    given = upload(picture(), ("width", "5"), ("nonsense", "x"))
    job = await service.submit(ANONYMOUS, replace(given, preset="gray-blur"))
    assert [output["name"] for output in job.outputs] == ["gray-blur"]


async def test_a_wrong_parameter_of_a_raw_image_is_refused_before_its_body(service: ImageService) -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    with pytest.raises(InvalidParameter):
        await service.submit(ANONYMOUS, Upload(body(), "image/jpeg", None, [("width", "wide")]))


async def test_a_late_second_retry_does_not_remove_what_the_first_has_made(
    service: ImageService, attempts: Attempts, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await service.submit(ANONYMOUS, upload(picture()))
    await has_failed(attempts, storage, job)
    look_up = storage.look_up

    async def look_up_late(job_id: str) -> Kept:
        monkeypatch.setattr(storage, "look_up", look_up)
        await service.retry(ANONYMOUS, job.id)
        await ended(attempts, storage, job)
        return await look_up(job_id)

    monkeypatch.setattr(storage, "look_up", look_up_late)
    with pytest.raises(WrongState):
        await service.retry(ANONYMOUS, job.id)
    _, _, download = await service.result(ANONYMOUS, job.id, "thumbnail")
    assert await read(download) == b"result"


async def test_cancelling_a_job_that_redis_has_just_lost_removes_nothing(
    service: ImageService, storage: FileStorage, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await service.submit(ANONYMOUS, upload(picture()))
    conclude = storage.conclude

    async def conclude_and_wipe(job_id: str, workspace: Path, outcome: bytes, keep: str | None = None) -> bytes:
        standing = await conclude(job_id, workspace, outcome, keep=keep)
        await redis.flushall()
        return standing

    monkeypatch.setattr(storage, "conclude", conclude_and_wipe)
    with pytest.raises(UnknownJob):
        await service.cancel(ANONYMOUS, job.id)
    kept = await storage.look_up(job.id)
    assert (kept.record is not None, kept.source is not None, kept.outcome is not None) == (True, True, True)
