"""The page `/docs`, in a real browser."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from quickthumb.model.caller import Scope
from tests.access.test_doors import key_for
from tests.conftest import picture, running_service
from tests.site.browser import NEEDS_BROWSER, Visit, new_page, running_browser

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator

# One browser serves all tests of the module, so they share its event loop.
pytestmark = [
    NEEDS_BROWSER,
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator["Browser"]:
    async with running_browser() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: "Browser") -> AsyncIterator[Visit]:
    async with new_page(browser) as page:
        yield Visit(page)


async def test_an_image_can_be_uploaded_from_the_page(visit: Visit, service: str, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(picture())
    page = visit.page

    await page.goto(f"{service}/docs")
    await page.locator("#operations-Images-createImage .opblock-summary-control").click()
    operation = page.locator("#operations-Images-createImage")
    chooser = operation.locator("input[type=file]")
    await chooser.wait_for()
    assert await chooser.count() == 1  # for the image; no other field is a file
    await chooser.set_input_files(photo)
    await operation.locator("tr[data-property-name=width] input[type=text]").fill("64")
    await operation.locator("button.execute").click()

    answer = operation.locator(".live-responses-table")
    assert await answer.locator("tbody .response-col_status").first.inner_text() == "202"
    shown = await answer.inner_text()
    assert "Image is being resized in the background" in shown
    assert '"filename": "photo.jpg"' in shown
    command = await operation.locator(".curl-command").inner_text()
    assert "image=@photo.jpg" in command
    assert "height" not in command  # empty fields are not sent

    location = next(line for line in shown.splitlines() if "location:" in line).split(": ")[1].strip()
    async with httpx.AsyncClient(base_url=service) as client:
        job = (await client.get(location, params={"wait": 30})).json()
    assert job["results"]["thumbnail"]["width"] == 64
    assert visit.complaints == []
    assert {f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" for url in visit.requested} == {service}


async def test_the_other_ways_of_sending_work_from_the_page(visit: Visit, service: str, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(picture())
    await visit.page.goto(f"{service}/docs")
    operation = visit.page.locator("#operations-Images-createImage")
    await operation.locator(".opblock-summary-control").click()
    for media_type in ("application/json", "application/octet-stream"):
        body = operation.locator(".opblock-section-request-body")
        await body.locator("select").first.select_option(media_type)
        if media_type == "application/json":
            await body.locator("textarea").wait_for()  # its example works without changes
        else:
            await body.locator("input[type=file]").set_input_files(photo)
            await operation.locator(".parameters textarea").first.fill('{"width": 77}')
        await operation.locator("button.execute").click()
        answer = operation.locator(".live-responses-table")
        assert await answer.locator("tbody .response-col_status").first.inner_text() == "202"
        await operation.locator(".btn-clear").click()
    uploads = [url for url in visit.requested if "/images/" in url]
    assert [urlsplit(url).query for url in uploads] == ["", "width=77"]
    assert visit.complaints == []


@pytest.mark.timeout(300)  # a second for each operation, and several on a busy machine
async def test_every_operation_can_be_opened(visit: Visit, service: str) -> None:
    page = visit.page
    await page.goto(f"{service}/docs")
    await page.locator(".opblock").first.wait_for()
    blocks = page.locator(".opblock")
    for number in range(await blocks.count()):
        # One after the other: with all of them open, each further one takes the page seconds.
        block = blocks.nth(number)
        await block.locator(".opblock-summary-control").click()
        await block.locator(".responses-wrapper").wait_for()
        await block.locator(".opblock-summary-control").click()
    assert visit.complaints == []


async def test_the_page_says_so_when_it_needs_what_is_switched_off(service: str) -> None:
    async with httpx.AsyncClient(base_url=service) as client:
        assert "/openapi.json" in (await client.get("/docs")).text.partition("<noscript>")[2]


async def test_each_api_has_a_tag_of_its_own(visit: Visit, service: str) -> None:
    page = visit.page
    await page.goto(f"{service}/docs")
    await page.locator(".opblock-tag").last.wait_for()
    tags = [text.strip() for text in await page.locator(".opblock-tag").all_inner_texts()]
    assert tags[:2] == ["Images", "Jobs"]
    assert tags[-3:] == ["Older API: task queue demo", "Older API: Image Resizer", "Older API: image pipeline"]
    assert visit.complaints == []


async def test_several_presets_can_be_asked_for_on_the_page(visit: Visit, service: str, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(picture())
    await visit.page.goto(f"{service}/docs")
    operation = visit.page.locator("#operations-Images-createImage")
    await operation.locator(".opblock-summary-control").click()
    await operation.locator("input[type=file]").set_input_files(photo)
    presets = operation.locator("tr[data-property-name=preset]")
    for name in ("thumbnail", "gray-blur"):
        await presets.locator("button", has_text="Add").click()
        await presets.locator("input[type=text]").last.fill(name)
    await operation.locator("button.execute").click()
    answer = operation.locator(".live-responses-table tbody .response-col_status").first
    assert await answer.inner_text() == "202"
    assert visit.complaints == []


async def test_a_key_is_entered_under_authorize(visit: Visit, tmp_path: Path) -> None:
    key = await key_for(tmp_path, Scope.JOBS_READ)
    page = visit.page
    with running_service(tmp_path) as address:
        await page.goto(f"{address}/docs")
        operation = page.locator("#operations-Jobs-listJobs")
        await operation.locator(".opblock-summary-control").click()
        assert await answered(operation) == "401"
        await operation.locator(".btn-clear").click()

        await page.locator(".auth-wrapper .btn.authorize").click()
        dialog = page.locator(".modal-ux")
        await dialog.locator("input").fill(key)
        await dialog.locator("button[type=submit]").click()
        await dialog.locator(".btn-done").click()
        assert await answered(operation) == "200"
        assert f"Authorization: Bearer {key}" in await operation.locator(".curl-command").inner_text()
        await operation.locator(".btn-clear").click()

        await page.locator(".auth-wrapper .btn.authorize").click()
        await dialog.locator("button", has_text="Logout").click()
        await dialog.locator(".btn-done").click()
        assert await answered(operation) == "401"
    assert all("401" in complaint for complaint in visit.complaints)


async def answered(operation: "Locator") -> str:
    """Sends the request of an opened operation; returns the status of the answer."""
    await operation.locator("button.execute").click()
    return await operation.locator(".live-responses-table tbody .response-col_status").first.inner_text()
