"""Both clients against the service as its users run it, and against what lies between."""

import inspect
import os
import pickle
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import IO, Any

import pytest
from PIL import Image

from quickthumb import client
from quickthumb.client import AsyncClient, Client, DamagedDownload, Problem, Retries, Status, StillRunning, Unreachable
from quickthumb.model import job
from tests.client.between import Fault, between, canned
from tests.client.conftest import Opened
from tests.conftest import CHECKOUT, picture

LARGE_BYTES = 24_000_000


async def test_upload_wait_download(opened: Opened, service: str, photo: Path, tmp_path: Path) -> None:
    client = opened(service)
    accepted = await client.upload(photo, size="64x64", fit="cover", enlarge=True)
    done = await client.wait(accepted)
    assert (done.id, done.status, done.error) == (accepted.id, Status.DONE, None)
    assert (done.source.filename, done.source.format, done.source.width) == ("photo.jpg", "jpeg", 400)
    assert done.source.facts["frames"] == 1
    assert done.finished_at > done.created_at
    assert accepted.history == ()
    (attempt,) = done.history
    assert (attempt.attempt, attempt.started_at, attempt.status) == (1, done.started_at, Status.DONE)
    assert attempt.seconds > 0
    (result,) = done.results.values()
    assert (result.name, result.width, result.height) == ("thumbnail", 64, 64)
    saved = await client.download(result, tmp_path / "small.jpg")
    assert saved == tmp_path / "small.jpg"
    assert saved.stat().st_size == result.bytes
    with Image.open(saved) as image:
        assert image.size == (64, 64)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.jpg", "small.jpg"]
    assert pickle.loads(pickle.dumps(done)) == done  # noqa: S301 - our own bytes


async def test_what_can_be_uploaded_and_how_the_order_is_given(opened: Opened, service: str, photo: Path) -> None:
    client = opened(service)
    outputs = [{"name": "wide", "width": 60}, {"name": "tall", "height": 60}]
    with photo.open("rb") as file:
        file.read(10)  # the whole file is sent all the same
        jobs = [
            await client.upload(photo.read_bytes(), outputs=outputs),
            await client.upload(str(photo), order={"preset": ["thumbnail", "gray-blur"]}, filename="cat.jpg"),
            await client.upload(file, order=[("preset", "square-32-64")], width=None),
        ]
    ended = [await client.wait(job) for job in jobs]
    assert [list(job.results) for job in ended] == [
        ["wide", "tall"],
        ["thumbnail", "gray-blur"],
        ["square-32", "square-64"],
    ]
    assert [job.source.filename for job in ended] == ["image", "cat.jpg", "photo.jpg"]
    assert "gray-blur" in await client.presets()


async def test_a_file_is_streamed(opened: Opened, service: str, tmp_path: Path) -> None:
    path = tmp_path / "large.bmp"
    Image.new("RGB", (4_000, 2_000)).save(path)
    assert path.stat().st_size > LARGE_BYTES
    client = opened(service)
    await client.presets()
    tracemalloc.start()
    try:
        accepted = await client.upload(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LARGE_BYTES / 8
    await client.delete(accepted)


async def test_a_refusal_says_why(opened: Opened, service: str, photo: Path) -> None:
    client = opened(service)
    with pytest.raises(Problem, match="PDF") as refused:
        await client.upload(b"%PDF-1.7")
    assert (refused.value.status, refused.value.code) == (415, "unsupported_image")
    with pytest.raises(Problem) as mistaken:
        await client.upload(photo, widht=5)
    assert (mistaken.value.code, mistaken.value.field) == ("invalid_parameter", "widht")
    with pytest.raises(Problem) as unknown:
        await client.find("0" * 32)
    assert (unknown.value.status, unknown.value.code) == (404, "unknown_job")
    again = pickle.loads(pickle.dumps(unknown.value))  # noqa: S301 - our own bytes
    assert (str(again), again.code) == (str(unknown.value), "unknown_job")
    with pytest.raises(FileNotFoundError):
        await client.upload(photo.with_name("none.jpg"))


async def test_a_failed_job_and_its_retry(opened: Opened, service: str) -> None:
    client = opened(service)
    failed = await client.wait(await client.upload(picture()[:900]))
    assert (failed.status, failed.error.code) == (Status.FAILED, "broken_image")
    with between(service) as proxy:
        proxy.choose = once("POST /jobs/", Fault.UNANSWERED)
        retried = await opened(proxy.url).retry(failed)
        assert (retried.id, proxy.count("POST /jobs/")) == (failed.id, 2)
    assert (await client.wait(failed.id)).status is Status.FAILED


async def test_jobs_that_nobody_runs(opened: Opened, idle: str, photo: Path) -> None:
    client = opened(idle)
    accepted = [await client.upload(photo) for _ in range(5)]
    assert [job.id for job in await client.jobs(page_size=2)][:5] == [job.id for job in reversed(accepted)]
    with pytest.raises(StillRunning):
        await client.wait(accepted[0], timeout_seconds=0.2)
    assert (await client.cancel(accepted[0])).status is Status.CANCELLED
    assert (await client.wait(accepted[0])).status is Status.CANCELLED
    assert [job.id for job in await client.jobs(status="CANCELLED")] == [accepted[0].id]
    assert await client.count_jobs(status="CANCELLED") == 1
    tag = f"catalog/{accepted[0].id}"
    tagged = await client.upload(photo, tag=[tag, "cats"])
    assert [job.id for job in await client.jobs(tag=tag)] == [tagged.id]
    assert (await client.count_jobs(tag=tag), await client.count_jobs(tag="dogs")) == (1, 0)
    assert await client.count_jobs() > 5
    with pytest.raises(Problem) as refused:
        await client.retry(accepted[0])
    assert refused.value.code == "wrong_state"
    with between(idle) as proxy:
        proxy.choose = once("DELETE ", Fault.UNANSWERED)
        await opened(proxy.url).delete(accepted[0])
    with pytest.raises(Problem):
        await client.find(accepted[0])


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED, Fault.HALF_ANSWERED])
async def test_an_upload_whose_connection_breaks_makes_one_job(
    opened: Opened, service: str, photo: Path, fault: Fault
) -> None:
    with between(service) as proxy:
        proxy.choose = once("POST /images/", fault)
        name = f"{fault.name}-{time.monotonic_ns()}.jpg"
        accepted = await opened(proxy.url).upload(photo, filename=name)
        assert proxy.count("POST /images/") == 2
    found = [job.id for job in await opened(service).jobs() if job.source.filename == name]
    assert found == [accepted.id]


async def test_a_download_goes_on_where_it_broke_off(opened: Opened, service: str, tmp_path: Path) -> None:
    noise = tmp_path / "noise.png"
    Image.effect_noise((600, 600), 90).save(noise)
    done = await opened(service).wait(await opened(service).upload(noise, width=590))
    (result,) = done.results.values()
    assert result.bytes > 100_000
    with between(service) as proxy:
        proxy.choose = once("GET /jobs/", Fault.HALF_ANSWERED)
        broken = await opened(proxy.url).download(result, tmp_path / "broken.png")
        assert [head.lower().count("\r\nrange: bytes=") for head in proxy.heads] == [0, 1]
    whole = await opened(service).download(result, tmp_path / "whole.png")
    assert broken.read_bytes() == whole.read_bytes()


async def test_a_download_of_the_wrong_length_is_not_saved(opened: Opened, service: str, tmp_path: Path) -> None:
    done = await opened(service).wait(await opened(service).upload(picture()))
    with between(service) as proxy:
        proxy.choose = lambda head: canned("200 OK", body=b"short")
        with pytest.raises(DamagedDownload, match="but 5 arrived"):
            await opened(proxy.url).download(done.results["thumbnail"], tmp_path / "small.jpg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests"])
async def test_retry_after_is_honored(opened: Opened, service: str, photo: Path, status: str) -> None:
    with between(service) as proxy:
        proxy.choose = once("POST /images/", canned(status, "Retry-After: 1"))
        began = time.monotonic()
        await opened(proxy.url).upload(photo)
        assert time.monotonic() - began >= 1
        assert proxy.count("POST /images/") == 2


async def test_what_no_quota_admits_is_sent_once(opened: Opened, service: str, photo: Path) -> None:
    answer = canned(
        "429 Too Many Requests", "Content-Type: application/problem+json", body=b'{"code": "quota_exceeded"}'
    )
    with between(service) as proxy:
        proxy.choose = once("POST /images/", answer)
        with pytest.raises(Problem, match="429") as refused:
            await opened(proxy.url).upload(photo)
        assert (refused.value.code, proxy.count("POST /images/")) == ("quota_exceeded", 1)


async def test_patience_has_an_end(opened: Opened, service: str, photo: Path) -> None:
    with pytest.raises(Unreachable, match="No answer"):
        await opened("http://127.0.0.1:9").upload(photo)
    with between(service) as proxy:
        proxy.choose = lambda head: canned("502 Bad Gateway", "Content-Type: text/html", body=b"<h1>")
        with pytest.raises(Problem) as refused:
            await opened(proxy.url).upload(photo)
        assert (refused.value.code, proxy.count("POST")) == ("http_502", 4)
        proxy.choose = lambda head: canned("503 Service Unavailable", "Retry-After: 3600")
        with pytest.raises(Problem) as away:
            await opened(proxy.url).upload(photo)
        assert (away.value.retry_after_seconds, proxy.count("POST")) == (3600, 5)


async def test_what_cannot_be_read_twice_is_sent_once(opened: Opened, service: str, photo: Path) -> None:
    with between(service) as proxy:
        proxy.choose = once("POST /images/", Fault.UNANSWERED)
        with piped(photo) as pipe, pytest.raises(Unreachable):
            await opened(proxy.url).upload(pipe)
        with piped(photo) as pipe:
            assert (await opened(proxy.url).upload(pipe)).source.bytes == photo.stat().st_size


async def test_a_url_of_something_else(opened: Opened, service: str, photo: Path) -> None:
    for url in ("nonsense", "ftp://host", "http://"):
        with pytest.raises(ValueError, match="not a URL"):
            opened(url)
    with between(service) as proxy:
        proxy.choose = lambda head: canned("200 OK", "Content-Type: text/html", body=b"<html>")
        with pytest.raises(client.UnexpectedAnswer, match="<html>"):
            await opened(proxy.url).upload(photo)
        proxy.choose = lambda head: canned("308 Permanent Redirect", "Location: https://thumbs.example/")
        with pytest.raises(Problem, match=r"redirects to https://thumbs\.example/"):
            await opened(proxy.url).upload(photo)


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, Any]:
        public = {name: method for name, method in vars(kind).items() if not name.startswith("_")}
        return {name: list(inspect.signature(method).parameters.values()) for name, method in public.items()}

    assert methods(Client) == methods(AsyncClient)


def test_the_statuses_are_the_services() -> None:
    assert [(status.value, status.ended) for status in Status] == [(one.value, one.ended) for one in job.Status]


def test_it_needs_nothing_else_of_quickthumb() -> None:
    program = """
import sys
import quickthumb.client
strangers = {"pydantic", "redis", "arq", "starlette", "uvicorn", "PIL"}
print([name for name in sys.modules if name.split(".")[0] in strangers])
print({name.split(".")[1] for name in sys.modules if name.startswith("quickthumb.")})
"""
    environment = {"PYTHONPATH": str(CHECKOUT), "QUICKTHUMB_NO_SUCH_SETTING": "1"}
    shown = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == ["[]", "{'client'}"]


def test_the_pause_before_another_try() -> None:
    retries = Retries(attempts=5, first_pause_seconds=1, longest_pause_seconds=3)
    assert 1 <= (retries.pause_after(2, None) or 0) <= 2
    assert 1.5 <= (retries.pause_after(4, None) or 0) <= 3
    assert retries.pause_after(1, 2.5) == 2.5
    assert retries.pause_after(1, 4) is None
    assert retries.pause_after(5, None) is None


def piped(path: Path) -> IO[bytes]:
    """The file as a pipe, which can be read once."""
    readable, writable = os.pipe()
    os.write(writable, path.read_bytes())
    os.close(writable)
    return os.fdopen(readable, "rb")


def once(start: str, fault: Fault | bytes) -> Any:
    """Strikes the first request that begins with these words."""
    left = [fault]

    def choose(head: str) -> Fault | bytes | None:
        return left.pop() if head.startswith(start) and left else None

    return choose
