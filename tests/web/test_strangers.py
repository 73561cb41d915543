"""Pages of other sites, in a real browser: what they try with the service of whoever looks at them.

The browser takes every name that ends in `.test` for this machine, as it would after DNS rebinding.
"""

import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from tests.conftest import http_client
from tests.redis_server import RedisServer
from tests.site.browser import BROWSER, new_page, running_browser
from tests.web.conftest import done, upload
from tests.web_process import WebProcess, running_web

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

# One browser serves all tests of the module, so they share its event loop.
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="needs a browser"),
    pytest.mark.asyncio(loop_scope="module"),
]

# The second keeps the browser from protecting this machine by itself, which not all browsers do.
FOR_ATTACKS = ["--host-resolver-rules=MAP *.test 127.0.0.1", "--disable-features=LocalNetworkAccessChecks"]
OTHER_SPELLINGS = ["0.0.0.0", "0", "[::ffff:127.0.0.1]", "[::ffff:0.0.0.0]", "0x7f.1", "2130706433"]  # noqa: S104
OWN_NAME = "pictures.test"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="

# Each takes the service's URL, and ends when the browser has the answer or was refused it.
ATTACKS = {
    "a form": """async service => {
        const form = Object.assign(document.createElement("form"),
            {action: service + "/images/", method: "post", enctype: "multipart/form-data", target: "frame"});
        const field = Object.assign(document.createElement("input"), {type: "file", name: "image"});
        const pixel = Uint8Array.from(atob(PIXEL), character => character.charCodeAt(0));
        const files = new DataTransfer();
        files.items.add(new File([pixel], "pixel.png", {type: "image/png"}));
        field.files = files.files;
        form.append(field);
        const frame = Object.assign(document.createElement("iframe"), {name: "frame"});
        document.body.append(form, frame);
        const answered = new Promise(resolve => frame.onload = resolve);
        form.submit();
        await answered;
    }""".replace("PIXEL", f'"{PIXEL}"'),
    "a form as JSON": """async service => {
        const body = JSON.stringify({data: "PIXEL"});
        await fetch(service + "/images/", {method: "POST", mode: "no-cors", body}).catch(() => null);
    }""".replace("PIXEL", PIXEL),
    "a script's form": """async service => {
        const pixel = Uint8Array.from(atob(PIXEL), character => character.charCodeAt(0));
        const body = new FormData();
        body.append("image", new Blob([pixel], {type: "image/png"}), "pixel.png");
        await fetch(service + "/images/", {method: "POST", mode: "no-cors", body}).catch(() => null);
    }""".replace("PIXEL", f'"{PIXEL}"'),
    "a script that cancels": """async service => {
        await fetch(service + "/jobs/cancel?status=WAITING", {method: "POST", mode: "no-cors"}).catch(() => null);
    }""",
    "a script that removes": """async service => {
        await fetch(service + "/jobs?status=WAITING", {method: "DELETE"}).catch(() => null);
    }""",
    "an image": """service => new Promise(resolve => {
        const image = new Image();
        image.onload = image.onerror = resolve;
        image.referrerPolicy = "no-referrer";
        image.src = service + "/send-email/ada@example.com";
        document.body.append(image);
    })""",
    "a frame": """service => new Promise(resolve => {
        const frame = document.createElement("iframe");
        frame.onload = resolve;
        frame.src = service + "/send-email/ada@example.com";
        document.body.append(frame);
    })""",
}


class EmptyPage(BaseHTTPRequestHandler):
    """An empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>A page</title><body></body>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def stranger() -> Iterator[int]:
    """The port of a web server of somebody else, on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator["Browser"]:
    async with running_browser(*FOR_ATTACKS) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: "Browser") -> AsyncIterator["Page"]:
    async with new_page(browser) as page:
        yield page


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def victim(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebProcess]:
    """A web process as a developer starts it, except that it has a second name. Its jobs stay WAITING."""
    folder = tmp_path_factory.mktemp("victim")
    async with RedisServer(folder) as redis, running_web(folder, redis.url, allowed_hosts=OWN_NAME) as web:
        yield web


@pytest_asyncio.fixture(loop_scope="module")
async def owner(victim: WebProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(victim.address) as client:
        yield client


async def state(client: httpx.AsyncClient, web: WebProcess) -> tuple[list[tuple[str, str]], list[Path]]:
    """Every job with its status, and everything that was accepted to be sent as an email."""
    jobs = (await client.get("/jobs", params={"limit": 100})).json()["jobs"]
    emails = sorted(path for path in (web.data / "mail").rglob("*") if path.is_file())
    return [(job["id"], job["status"]) for job in jobs], emails


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "evil.test"])
async def test_a_strangers_page_changes_nothing(
    page: "Page", stranger: int, victim: WebProcess, owner: httpx.AsyncClient, host: str
) -> None:
    await upload(owner)
    before = await state(owner, victim)
    await page.goto(f"http://{host}:{stranger}/")
    for attack in ATTACKS.values():
        await page.evaluate(attack, victim.address)
    assert await state(owner, victim) == before


@pytest.mark.parametrize("host", OTHER_SPELLINGS)
async def test_a_strangers_page_changes_nothing_by_other_spellings_of_this_machine(
    page: "Page", stranger: int, victim: WebProcess, owner: httpx.AsyncClient, host: str
) -> None:
    """To some of these, the browser sends no Sec-Fetch-Site, because it does not take them for this machine."""
    await upload(owner)
    before = await state(owner, victim)
    await page.goto(f"http://evil.test:{stranger}/")
    for attack in ATTACKS.values():
        await page.evaluate(attack, f"http://{host}:{victim.port}")
    assert await state(owner, victim) == before


async def test_a_strangers_link_sends_no_email(
    page: "Page", stranger: int, victim: WebProcess, owner: httpx.AsyncClient
) -> None:
    before = await state(owner, victim)
    await page.goto(f"http://evil.test:{stranger}/")
    async with page.expect_navigation():
        await page.evaluate("url => { location = url }", f"{victim.address}/send-email/ada@example.com")
    assert "cross_origin" in await page.content()
    assert await state(owner, victim) == before


async def test_after_rebinding_a_page_reads_and_changes_nothing(
    page: "Page", victim: WebProcess, owner: httpx.AsyncClient
) -> None:
    await upload(owner)
    before = await state(owner, victim)
    evil = f"http://evil.test:{victim.port}"
    # The page came from the stranger's server, before its name led to this machine.
    await page.route(f"{evil}/page", lambda route: route.fulfill(content_type="text/html", body="<body></body>"))
    await page.goto(f"{evil}/page")
    read = "async url => { const answer = await fetch(url); return [answer.status, (await answer.json()).code]; }"
    for path in ("/jobs", "/healthz", "/metrics", "/openapi.json", "/nowhere"):
        assert await page.evaluate(read, path) == [421, "host_not_allowed"]
    for attack in ATTACKS.values():
        await page.evaluate(attack, "")
    assert await state(owner, victim) == before


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", OWN_NAME])
async def test_the_services_own_pages_work(
    page: "Page", victim: WebProcess, owner: httpx.AsyncClient, host: str
) -> None:
    """At OWN_NAME, the browser sends no Sec-Fetch-Site, because plain HTTP to a name is not trustworthy."""
    jobs, _ = await state(owner, victim)
    await page.goto(f"http://{host}:{victim.port}/docs")
    for name in ("a script's form", "a form"):
        await page.evaluate(ATTACKS[name], "")
    await page.goto(f"http://{host}:{victim.port}/send-email/ada@example.com")
    assert "has been queued" in await page.content()
    assert len((await state(owner, victim))[0]) == len(jobs) + 1  # the page's policy forbids forms


async def test_results_can_be_shown_anywhere_and_nothing_else(page: "Page", stranger: int, service: str) -> None:
    async with http_client(service) as client:
        job = await done(client)
    await page.goto(f"http://evil.test:{stranger}/")
    shown = """url => new Promise(resolve => {
        const image = new Image();
        image.onload = () => resolve(true);
        image.onerror = () => resolve(false);
        image.src = url;
    })"""
    result = service + job["results"]["thumbnail"]["url"]
    assert await page.evaluate(shown, result)
    assert await page.evaluate(shown, f"{result}?again")
    assert not await page.evaluate(shown, service + job["links"]["original"])
