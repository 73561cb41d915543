"""Batches and further outputs, by both clients."""

import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quickthumb.client import Problem, Status, StillRunning
from quickthumb.client.pictures import MOST_OPEN, opened, picture_of
from tests.client.between import Fault, between
from tests.client.conftest import Opened
from tests.client.test_clients import once, piped
from tests.conftest import picture


async def test_a_batch_from_images_to_a_zip_of_results(
    opened: Opened, service: str, photo: Path, tmp_path: Path
) -> None:
    batches = opened(service).batches
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("packed.jpg", picture())
    accepted = await batches.submit([photo, b"no picture", tmp_path / "more.zip"], size="32x32", fit="cover")
    assert accepted.refusal is None
    assert [item.number for item in accepted.items] == [1, 2, 3]
    assert [item.filename for item in accepted.items] == ["photo.jpg", "image", "packed.jpg"]
    refusal = accepted.items[1].refusal
    assert refusal is not None
    assert (refusal.status, refusal.code) == (415, "unsupported_image")
    done = await batches.wait(accepted)
    assert (done.id, done.complete, done.ended, done.counts) == (accepted.id, True, True, {"DONE": 2, "REFUSED": 1})
    assert [(job.status, list(job.results)) for job in done.jobs] == [(Status.DONE, ["thumbnail"])] * 2
    assert await batches.find(accepted.id) == done
    saved = await batches.download(done, tmp_path / "results.zip")
    with zipfile.ZipFile(saved) as archive:
        assert sorted(archive.namelist()) == ["1-photo/thumbnail.jpg", "3-packed/thumbnail.jpg"]
    assert {path.name for path in tmp_path.iterdir()} == {"photo.jpg", "more.zip", "results.zip"}


async def test_names_urls_and_what_is_refused(opened: Opened, idle: str, photo: Path) -> None:
    batches = opened(idle).batches
    named = await batches.submit({"cat.jpg": photo.read_bytes(), "dog.jpg": photo})
    assert [item.filename for item in named.items] == ["cat.jpg", "dog.jpg"]
    with pytest.raises(StillRunning, match="batch"):
        await batches.wait(named, timeout_seconds=0.1)
    with pytest.raises(Problem) as refused:
        await batches.download(named, photo.with_name("none.zip"))
    assert refused.value.code == "not_ready"
    assert not photo.with_name("none.zip").exists()
    fetched = await batches.submit(urls=["http://127.0.0.1/a.jpg"], priority="low")
    assert [item.refusal.code for item in fetched.items] == ["url_not_allowed"]
    with pytest.raises(Problem) as mistaken:
        await batches.submit([photo], sise="3x3")
    assert (mistaken.value.code, mistaken.value.field) == ("invalid_parameter", "sise")
    with pytest.raises(Problem):
        await batches.find("0" * 32)
    with pytest.raises(TypeError, match="upload"):
        await batches.submit(str(photo))
    with pytest.raises(FileNotFoundError):
        await batches.submit([photo.with_name("none.jpg")])


async def test_an_answer_that_gets_lost_makes_no_second_batch(opened: Opened, idle: str, photo: Path) -> None:
    with between(idle) as proxy:
        proxy.choose = once("POST /batches", Fault.UNANSWERED)
        batch = await opened(proxy.url).batches.submit([photo, photo])
        assert (proxy.count("POST /batches"), len(batch.jobs), batch.refusal) == (2, 2, None)
        key = {"idempotency_key": f"batch-{batch.id}"}
        first = await opened(proxy.url).batches.submit([photo], **key)
        assert (await opened(proxy.url).batches.submit([photo], **key)).id == first.id
        with piped(photo) as pipe:
            assert len((await opened(proxy.url).batches.submit([pipe])).jobs) == 1


async def test_of_many_files_one_is_open_at_a_time(opened: Opened, idle: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(MOST_OPEN + 4)]
    for number, path in enumerate(paths):
        path.write_bytes(picture(40 + number, 40))
    batch = await opened(idle).batches.submit(paths)
    assert [job.source.width for job in batch.jobs] == [40 + number for number in range(len(paths))]
    assert (await opened(idle).batches.find(batch)).items == batch.items


def test_many_files_leave_none_open(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}" for number in range(MOST_OPEN + 1)]
    for path in paths:
        path.write_bytes(path.name.encode())
    descriptors = Path("/dev/fd")
    before = len(list(descriptors.iterdir()))
    with opened([picture_of(path, None) for path in paths]) as files:
        read: list[bytes] = []
        for file in files:
            assert not isinstance(file, bytes)
            assert file.seek(0, 2) == len(paths[len(read)].name)
            file.seek(0)
            read.append(file.read(1) + file.read() + file.read())
            assert len(list(descriptors.iterdir())) <= before + 1
    assert read == [path.name.encode() for path in paths]
    with pytest.raises(FileNotFoundError), opened([picture_of(path, None) for path in [*paths, tmp_path / "none"]]):
        pass


async def test_further_outputs_of_a_job(opened: Opened, service: str, photo: Path) -> None:
    client = opened(service)
    job = await client.wait(await client.upload(photo))
    outputs: Any = [{"name": "wide", "width": 60}, {"name": "tall", "height": 60}]
    with between(service) as proxy:
        proxy.choose = once("POST /jobs/", Fault.UNANSWERED)
        derived = await client.wait(await opened(proxy.url).derive(job, outputs=outputs, tag=["cats"]))
        assert proxy.count("POST /jobs/") == 2
    assert derived.id != job.id
    assert (list(derived.results), derived.tags) == (["wide", "tall"], ("cats",))
    again = await client.derive(job.id, order={"size": "20x20"}, idempotency_key=derived.id)
    assert (await client.derive(job, order={"size": "20x20"}, idempotency_key=derived.id)).id == again.id
    with pytest.raises(Problem) as refused:
        await client.derive(job, size="nonsense")
    assert refused.value.code == "invalid_parameter"


async def test_a_waiting_job_is_rescheduled(opened: Opened, idle: str, photo: Path) -> None:
    client = opened(idle)
    moment = datetime.now(UTC) + timedelta(hours=1)
    job = await client.upload(photo, run_at=moment)
    for changes in ({"priority": "high"}, {"run_at": moment + timedelta(hours=1)}, {"delay": 60}, {"run_at": None}):
        assert (await client.reschedule(job, **changes)).id == job.id
    with pytest.raises(Problem) as refused:
        await client.reschedule(job, priority="nonsense")
    assert refused.value.code == "invalid_parameter"
    await client.delete(job)


async def test_verbs_for_many_jobs_and_the_numbers(opened: Opened, idle: str, photo: Path) -> None:
    client = opened(idle)
    tag = f"many-{(await client.upload(photo)).id}"
    for _ in range(3):
        await client.upload(photo, tag=tag)
    assert await client.retry_jobs(tag=tag) == 0
    assert await client.cancel_jobs(status="WAITING", tag=tag) == 3
    assert await client.delete_jobs(tag=tag, before=datetime.now(UTC) - timedelta(days=1)) == 0
    assert await client.delete_jobs(status="CANCELLED", tag=tag) == 3
    with pytest.raises(Problem):
        await client.delete_jobs()
    assert (await client.stats())["jobs"]["WAITING"] >= 1
