"""The Flask and Django applications of docs/from-celery.md, as real servers in front of a real service."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.conftest import CHECKOUT, START_SECONDS, clean_environment, http_client, picture, running_service
from tests.docs.reverse_proxy import reverse_proxy
from tests.site.browser import NEEDS_BROWSER, Visit
from tests.web import test_docs
from tests.web_process import running_web

EXAMPLES = CHECKOUT / "examples"
MAX_UPLOAD_BYTES = 100_000
NO_REDIS = "redis://127.0.0.1:1"


@dataclass(frozen=True)
class Application:
    """How to run one of the applications, and where."""

    name: str
    prepare: tuple[str, ...]
    serve: tuple[str, ...]

    @contextlib.contextmanager
    def running(self, folder: Path, quickthumb: str) -> Iterator[str]:
        """Runs it with its database in `folder`; gives its URL."""
        folder.mkdir(parents=True, exist_ok=True)
        environment = clean_environment() | {
            "PYTHONPATH": str(EXAMPLES),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DATABASE": str(folder / "photos.db"),
            "THUMBNAILS": quickthumb,
            "THUMBNAILS_PUBLIC": quickthumb,
        }
        words = [sys.executable, *(word.format(port=free_port()) for word in self.serve)]
        if self.prepare:
            prepare = [sys.executable, *self.prepare]
            subprocess.run(prepare, cwd=EXAMPLES / self.name, env=environment, check=True, capture_output=True)
        log_path = folder / "log"
        with log_path.open("w") as log:
            process = subprocess.Popen(words, cwd=EXAMPLES / self.name, env=environment, stdout=log, stderr=log)
            try:
                port = int(words[-1].rpartition(":")[2])
                wait_for_port(process, port, log_path)
                yield f"http://127.0.0.1:{port}"
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=20)


FLASK = Application("flask", (), ("-m", "flask", "--app", "app", "run", "--port", "{port}"))
DJANGO = Application("django", ("manage.py", "migrate"), ("manage.py", "runserver", "--noreload", "{port}"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise AssertionError(f"the application did not start: {log.read_text()}")


@pytest.fixture(scope="module")
def quickthumb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_service(tmp_path_factory.mktemp("quickthumb"), max_upload_bytes=MAX_UPLOAD_BYTES) as url:
        yield url


@pytest.fixture(scope="module", params=[FLASK, DJANGO], ids=lambda application: application.name)
def application(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, quickthumb: str
) -> Iterator[str]:
    pytest.importorskip(request.param.name)
    with request.param.running(tmp_path_factory.mktemp(request.param.name), quickthumb) as url:
        yield url


@pytest.fixture
async def web(application: str) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(application) as web:
        yield web


async def submit(web: httpx.AsyncClient, image: bytes, title: str = "A cat") -> httpx.Response:
    """Sends the form of the page as a browser does."""
    page = (await web.get("/")).text
    tokens = dict(re.findall(r'name="(csrfmiddlewaretoken)" value="(\w+)"', page))
    fields = {"title": title, **tokens}
    return await web.post("/photos", data=fields, files={"picture": ("cat.jpg", image)}, follow_redirects=True)


async def test_a_picture_sent_through_the_server_gets_its_thumbnail(web: httpx.AsyncClient) -> None:
    page = await submit(web, picture())
    assert page.status_code == 200, page.text
    assert (await web.get(f"{page.url.path}/job")).json() == {"status": "DONE"}
    shown = (await web.get(page.url.path)).text
    found = re.search(r'<img src="(\S+)" alt="A cat">', shown)
    assert found is not None, shown
    thumbnail = await web.get(found[1])
    assert thumbnail.headers["Content-Type"] == "image/jpeg"
    assert page.url.path in (await web.get("/")).text


@pytest.mark.parametrize(
    ("image", "status", "message"),
    [
        (b"%PDF-1.7", 415, "The file is a PDF document"),
        (picture()[:100], 422, "damaged"),
        (bytes(MAX_UPLOAD_BYTES + 1), 413, "The image is too large"),
    ],
    ids=["not an image", "damaged", "too large"],
)
async def test_a_refusal_is_shown_to_the_user(web: httpx.AsyncClient, image: bytes, status: int, message: str) -> None:
    page = await submit(web, picture() + image if status == 413 else image)
    assert page.status_code == status, page.text
    assert message in page.text


async def test_a_job_that_fails_says_why(web: httpx.AsyncClient) -> None:
    image = picture()
    page = await submit(web, image[: len(image) - 900])
    assert (await web.get(f"{page.url.path}/job")).json() == {"status": "FAILED"}
    assert "No thumbnail: The image is damaged" in (await web.get(page.url.path)).text


async def test_a_made_up_job_is_not_kept(web: httpx.AsyncClient) -> None:
    page = (await web.get("/")).text
    tokens = dict(re.findall(r'name="(csrfmiddlewaretoken)" value="(\w+)"', page))
    for job_id in ("0" * 32, "../metrics"):
        answer = await web.post("/photos/uploaded", data={"title": "A cat", "job_id": job_id, **tokens})
        assert answer.status_code == 400


browser, visit = test_docs.browser, test_docs.visit


@NEEDS_BROWSER
@pytest.mark.asyncio(loop_scope="module")
async def test_a_picture_sent_by_the_browser_gets_its_thumbnail(
    visit: Visit, application: str, quickthumb: str, tmp_path: Path
) -> None:
    (tmp_path / "cat.jpg").write_bytes(picture())
    with reverse_proxy(application, quickthumb) as site:
        await visit.page.goto(site)
        await visit.page.fill("form.direct [name=title]", "A cat")
        await visit.page.set_input_files("form.direct [name=picture]", tmp_path / "cat.jpg")
        await visit.page.click("form.direct button")
        thumbnail = visit.page.locator("img[alt='A cat']")
        await thumbnail.wait_for()
        assert await thumbnail.evaluate("image => image.decode().then(() => image.naturalWidth)") == 200
        # While the site is there: a page that still asks it for something complains when it has gone.
        assert not [text for text in visit.complaints if "favicon" not in text]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def unavailable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A QuickThumb without its Redis, which answers uploads with 503."""
    async with running_web(tmp_path_factory.mktemp("unavailable"), NO_REDIS) as web:
        yield web.address


@pytest.mark.parametrize("app", [FLASK, DJANGO], ids=lambda app: app.name)
async def test_while_quickthumb_takes_nothing_users_are_asked_to_come_back(
    app: Application, unavailable: str, tmp_path: Path
) -> None:
    pytest.importorskip(app.name)
    with app.running(tmp_path, unavailable) as url:
        async with http_client(url) as web:
            page = await submit(web, picture())
    assert page.status_code == 503
    assert int(page.headers["Retry-After"]) >= 1
    assert "Please try again in a moment" in page.text


def test_the_page_starts_them_as_the_tests_do() -> None:
    page = (CHECKOUT / "docs" / "from-celery.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ PYTHONPATH=\.\. (.+) 5000$", page, re.MULTILINE)
    flask, django = (" ".join(app.serve).removesuffix(" {port}") for app in (FLASK, DJANGO))
    assert commands == [flask.removeprefix("-m "), f"python {django}".replace(" --noreload", "")]
    for app in (FLASK, DJANGO):
        assert f"$ cd examples/{app.name}\n" in page
