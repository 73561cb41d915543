"""A service with jobs of every kind, and what tests of the dashboard ask of its page."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import httpx
from PIL import Image

from tests.conftest import picture
from tests.site.browser import Visit

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator, Page

# Would change the page's title if it ever ran.
IMAGE = "<img src=x onerror=\"document.title='harmed'\">"
SCRIPT = f"{IMAGE}<script>document.title='harmed'</script>"
# A file name: what stands before a slash in one is no part of it.
SCRIPTED = f"{IMAGE}.jpg"
# Jobs for then wait as long as a test runs.
LATER = (datetime.now(UTC) + timedelta(days=1)).isoformat()
READER = {"login": "done", "tenant": "default", "scopes": ["jobs:read"], "runs_deployment": True, "key": None}
# Where webhooks may go, and nobody listens.
NOBODY = "127.0.0.1:9"
DESCRIPTION, COMMENT = 0x010E, 0x9286
# Requests that a page gives up when it leaves a view are none of its faults.
UNIMPORTANT = ("failed: ", "Failed to load resource")


@dataclass(frozen=True)
class Jobs:
    """The address of the service, and ids of some of its jobs."""

    address: str
    done: str
    failed: str
    waiting: str
    cancelled: str
    scripted: str

    def url(self, path: str = "") -> str:
        return f"{self.address}/dashboard{path}"


def made(address: str) -> Jobs:
    with httpx.Client(base_url=address, timeout=60) as client:
        first = [upload(client, f"holiday-{number}.jpg", tag="album")["id"] for number in range(3)]
        failed = upload(client, "cut-off.jpg", picture()[:2000])["id"]
        waiting = upload(client, "later.png", picture(kind="PNG"), run_at=LATER)["id"]
        cancelled = upload(client, "unwanted.jpg", run_at=LATER)["id"]
        act(client, "POST", f"/jobs/{cancelled}/cancel")
        scripted = upload(client, SCRIPTED, described(), context=json.dumps({"note": SCRIPT}))["id"]
        for job_id in (*first, failed, scripted):
            ended(client, job_id)
    return Jobs(address, first[0], failed, waiting, cancelled, scripted)


def upload(client: httpx.Client, name: str, content: bytes | None = None, **fields: str) -> dict[str, Any]:
    """The job of an image with this name."""
    # In the query, since forms escape quotes in file names.
    headers = {"Content-Type": "application/octet-stream"}
    query = {"filename": name, **fields}
    answer = client.post("/images/", content=content or picture(), params=query, headers=headers)
    answer.raise_for_status()
    job: dict[str, Any] = answer.json()
    return job


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job once it has ended."""
    answer = client.get(f"/jobs/{job_id}", params={"wait": 30})
    answer.raise_for_status()
    job: dict[str, Any] = answer.json()
    return job


def act(client: httpx.Client, method: str, path: str) -> None:
    """Sends a request that must succeed."""
    client.request(method, path).raise_for_status()


def described() -> bytes:
    """A picture whose EXIF has a script."""
    exif = Image.Exif()
    exif[DESCRIPTION] = SCRIPT
    exif.get_ifd(0x8769)[COMMENT] = b"ASCII\0\0\0" + SCRIPT.encode()
    file = BytesIO()
    Image.radial_gradient("L").convert("RGB").save(file, "JPEG", exif=exif)
    return file.getvalue()


async def open_page(browser: "Browser", url: str, **options: Any) -> Visit:
    """The page at this URL, in a window of its own."""
    context = await browser.new_context(**options)
    page = await context.new_page()
    page.set_default_timeout(30_000)
    visit = Visit(page)
    await page.goto(url)
    return visit


def faults(visit: Visit) -> list[str]:
    """The errors that the page logged."""
    return [text for text in visit.complaints if not text.startswith(UNIMPORTANT)]


def row(page: "Page", name: str) -> "Locator":
    """The row of the job whose file has this name."""
    return page.locator(".job").filter(has=page.get_by_role("link", name=name, exact=True))
