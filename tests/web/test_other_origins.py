"""Pages of other origins that upload, in a real browser: the examples of the docs, as they are in the repository.

The browser takes every name that ends in `.test` for this machine.
"""

import importlib
import shutil
import subprocess
import tarfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from quickthumb.model.caller import Scope
from quickthumb.service.keys import KeyStore
from quickthumb.storage import FileStorage
from tests.conftest import CHECKOUT, http_client, picture, running_service
from tests.site.browser import BROWSER, new_page, running_browser
from tests.web.test_strangers import FOR_ATTACKS

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="needs a browser"),
    pytest.mark.asyncio(loop_scope="module"),
]

EXAMPLES = CHECKOUT / "examples"
IN_THE_EXAMPLES = "http://localhost:8000"
WITHOUT_POLICIES, WITH_POLICIES = "const policies = null;", 'const policies = "/upload-policy";'
SECRET = "a-secret-of-the-site" * 2
UPPY = "uppy@6.0.1"
NPM = shutil.which("npm")
MEDIA_TYPES = {".html": "text/html", ".mjs": "text/javascript", ".css": "text/css"}
# Notes how far each upload has come, as the page is told.
NOTING = """
    window.told = [];
    const { send } = XMLHttpRequest.prototype;
    XMLHttpRequest.prototype.send = function (body) {
        this.upload.addEventListener("progress", event => window.told.push(event.loaded / event.total));
        return send.call(this, body);
    };
"""


@dataclass
class Site:
    """A web site on this machine: its port, the files that it serves, by name, and what it answers to a POST."""

    port: int
    files: dict[str, bytes]
    posted: Callable[[str], bytes] | None = None

    def page(self, name: str, host: str) -> str:
        return f"http://{host}:{self.port}/{name}"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    files: dict[str, bytes] = {}
    sites: list[Site] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/")
            self.send_response(200 if name in files else 404)
            self.send_header("Content-Type", MEDIA_TYPES.get(Path(name).suffix, "text/plain"))
            self.end_headers()
            self.wfile.write(files.get(name, b""))

        def do_POST(self) -> None:
            posted = sites[0].posted
            self.send_response(404 if posted is None else 200)
            self.end_headers()
            self.wfile.write(b"" if posted is None else posted(self.path))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        sites.append(Site(server.server_port, files))
        yield sites[0]
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def pictures(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that knows two origins of the site, and is in the pages of the examples."""
    origins = f"http://shop.test:{site.port},http://*.example.test:{site.port}"
    with running_service(tmp_path_factory.mktemp("pictures"), cors_origins=origins) as address:
        for name in ("browser.html", "uppy.html"):
            text = (EXAMPLES / name).read_text()
            assert IN_THE_EXAMPLES in text
            site.files[name] = text.replace(IN_THE_EXAMPLES, address).encode()
        yield address


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def guarded(site: Site, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a service that needs a key, which is in the pages of the examples; the site hands out policies."""
    pytest.importorskip("flask")
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "data").mkdir()
    storage = FileStorage(folder / "data")
    await storage.identity()
    await KeyStore(storage).create("shop", [Scope.ADMIN])
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES / "signing")
        patch.syspath_prepend(EXAMPLES)
        patch.setenv("URL_SECRET", SECRET)
        backend = importlib.import_module("policies").app.test_client()
        site.posted = lambda path: bytes(backend.post(path).data)
        with running_service(folder, cors_origins=f"http://shop.test:{site.port}", url_secrets=SECRET) as address:
            for name in ("browser.html", "uppy.html"):
                text = (EXAMPLES / name).read_text()
                assert WITHOUT_POLICIES in text
                text = text.replace(IN_THE_EXAMPLES, address).replace(WITHOUT_POLICIES, WITH_POLICIES)
                site.files[f"policy-{name}"] = text.encode()
            yield address


@pytest_asyncio.fixture(loop_scope="module")
async def owner(pictures: str) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(pictures) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator["Browser"]:
    async with running_browser(*FOR_ATTACKS) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: "Browser") -> AsyncIterator["Page"]:
    async with new_page(browser) as page:
        await page.add_init_script(NOTING)
        yield page


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    path.write_bytes(picture(1500, 1000, "PNG"))
    return path


async def number_of_jobs(client: httpx.AsyncClient) -> int:
    return len((await client.get("/jobs", params={"limit": 100})).json()["jobs"])


async def upload(page: "Page", photo: Path) -> None:
    await page.set_input_files("input[type=file]", photo)
    await page.click("button")


@pytest.mark.parametrize("host", ["shop.test", "a.b.example.test"])
async def test_a_page_of_an_admitted_origin_uploads_with_progress_and_shows_the_result(
    page: "Page", site: Site, pictures: str, photo: Path, host: str
) -> None:
    await page.goto(site.page("browser.html", host))
    await upload(page, photo)
    thumbnail = page.get_by_alt_text("Thumbnail of cat.png")
    await thumbnail.wait_for()
    await page.wait_for_function("() => document.querySelector('img').naturalWidth === 200")
    assert await page.evaluate("() => document.querySelector('progress').value") == 1
    assert (await page.evaluate("() => window.told"))[-1] == 1
    assert pictures in str(await thumbnail.get_attribute("src"))


async def test_a_page_of_an_admitted_origin_can_read_what_is_wrong(
    page: "Page", site: Site, owner: httpx.AsyncClient, tmp_path: Path
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    refused = await owner.post("/images/", files={"image": ("notes.txt", text.read_bytes())})
    await page.goto(site.page("browser.html", "shop.test"))
    await upload(page, text)
    await page.get_by_text(refused.json()["detail"]).wait_for()


@pytest.mark.parametrize("host", ["evil.test", "example.test", "shop.test.evil.test"])
async def test_a_page_of_another_origin_uploads_nothing(
    page: "Page", site: Site, owner: httpx.AsyncClient, photo: Path, host: str
) -> None:
    before = await number_of_jobs(owner)
    await page.goto(site.page("browser.html", host))
    await upload(page, photo)
    await page.get_by_text("The upload was refused").wait_for()
    assert await number_of_jobs(owner) == before


async def test_with_policies_a_page_uploads_to_a_service_that_needs_a_key(
    page: "Page", site: Site, guarded: str, photo: Path
) -> None:
    await page.goto(site.page("policy-browser.html", "shop.test"))
    for count in (1, 2):
        await upload(page, photo)
        await page.wait_for_function(
            "count => [...document.images].filter(image => image.naturalWidth === 200).length === count", arg=count
        )
    assert (await page.evaluate("() => window.told"))[-1] == 1
    source = str(await page.get_by_alt_text("Thumbnail of cat.png").first.get_attribute("src"))
    assert guarded in source
    assert "signature=" in source


async def test_a_page_that_has_no_policy_is_told_so(page: "Page", site: Site, guarded: str, photo: Path) -> None:
    assert guarded
    without = site.files["policy-browser.html"].replace(WITH_POLICIES.encode(), WITHOUT_POLICIES.encode())
    site.files["no-policy.html"] = without
    await page.goto(site.page("no-policy.html", "shop.test"))
    await upload(page, photo)
    await page.get_by_text("The request has no API key").wait_for()


@pytest.fixture(scope="module")
def uppy(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Puts Uppy's bundle beside the pages; skips the test where npm cannot get it."""
    if NPM is None:
        pytest.skip("needs npm")
    folder = tmp_path_factory.mktemp("uppy")
    packed = subprocess.run([NPM, "pack", "--silent", UPPY], cwd=folder, capture_output=True, text=True, check=False)
    if packed.returncode:
        pytest.skip(f"npm cannot get {UPPY}: {packed.stderr.strip()[-200:]}")
    with tarfile.open(folder / packed.stdout.strip()) as package:
        for name in ("uppy.min.mjs", "uppy.min.css"):
            member = package.extractfile(f"package/dist/{name}")
            assert member is not None
            site.files[name] = member.read()


@pytest.mark.timeout(180)  # npm asks the network
@pytest.mark.usefixtures("uppy")
async def test_uppy_uploads_as_it_comes(page: "Page", site: Site, pictures: str, photo: Path) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    await page.goto(site.page("uppy.html", "shop.test"))
    await page.locator(".uppy-Dashboard-input").first.set_input_files(photo)
    await page.get_by_role("button", name="Upload 1 file").click()
    await page.get_by_alt_text("Thumbnail of cat.png").wait_for()
    await page.wait_for_function("() => document.querySelector('#thumbnails img').naturalWidth === 128")
    assert (await page.evaluate("() => window.told"))[-1] == 1
    assert f"POST {pictures}/images/" in sent


@pytest.mark.timeout(180)  # npm asks the network
@pytest.mark.usefixtures("uppy")
async def test_uppy_uploads_with_policies(page: "Page", site: Site, guarded: str, photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "dog.png"
    other.write_bytes(picture(600, 500, "PNG"))
    await page.goto(site.page("policy-uppy.html", "shop.test"))
    await page.locator(".uppy-Dashboard-input").first.set_input_files([photo, other])
    await page.get_by_role("button", name="Upload 2 files").click()
    for name in ("cat.png", "dog.png"):
        thumbnail = page.get_by_alt_text(f"Thumbnail of {name}")
        await thumbnail.wait_for()
        assert guarded in str(await thumbnail.get_attribute("src"))
    await page.wait_for_function("() => [...document.querySelectorAll('#thumbnails img')].every(i => i.naturalWidth)")
