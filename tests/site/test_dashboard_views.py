"""The other views of `/dashboard`: a job, failures and the system; and what all views must keep to."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from tests.conftest import running_service
from tests.site.browser import NEEDS_BROWSER, barriers, playwright, running_browser
from tests.site.dashboard import NOBODY, SCRIPTED, Jobs, ended, faults, open_page, row, upload

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator, Page

expect = playwright.expect
pytestmark = [NEEDS_BROWSER, pytest.mark.asyncio(loop_scope="module")]

PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 800}
WIRE_BYTES = 100_000


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator["Browser"]:
    async with running_browser() as browser:
        yield browser


async def test_a_job_shows_what_happened(browser: "Browser", jobs: Jobs) -> None:
    visit = await open_page(browser, jobs.url(f"/jobs/{jobs.done}"))
    page = visit.page
    steps = page.locator(".timeline > li strong")
    await expect(steps).to_have_count(5)
    titles = await steps.all_inner_texts()
    assert titles[0] == "Accepted"
    assert titles[1].startswith("Waited ")
    assert titles[2:] == ["Attempt 1", "Done", "May be removed"]
    async with httpx.AsyncClient(base_url=jobs.address, timeout=60) as client:
        (worker,) = (await client.get("/workers")).json()["workers"]
    await expect(page.locator("[data-step=attempt]")).to_contain_text(f" · on {worker['id']}")
    await expect(page.locator("figure img")).to_be_visible()
    album = page.get_by_role("link", name="album")
    assert await album.get_attribute("href") == "/dashboard?tag=album"
    await page.goto(jobs.url(f"/jobs/{jobs.done}?tenant=default"))
    assert await album.get_attribute("href") == "/dashboard?tag=album&tenant=default"
    assert not faults(visit)
    await page.context.close()


async def test_a_failed_job_says_what_to_do(browser: "Browser", jobs: Jobs) -> None:
    page = (await open_page(browser, jobs.url(f"/jobs/{jobs.failed}"))).page
    notice = page.locator(".notice.failed")
    await expect(notice).to_contain_text("The image is damaged")
    await expect(notice).to_contain_text("Send it again from the original")
    await expect(notice).to_contain_text("a retry will not help")
    await page.get_by_role("button", name="Retry").click()
    await page.get_by_role("dialog").get_by_role("button", name="Retry 1 job").click()
    await expect(page.get_by_text("1 job retried.")).to_be_visible()
    async with httpx.AsyncClient(base_url=jobs.address, timeout=60) as client:
        assert (await client.get(f"/jobs/{jobs.failed}", params={"wait": 30})).json()["attempts"] == 2
    made = page.locator("[data-step=attempt]")
    await expect(made.locator("strong")).to_have_text(["Attempt 1", "Attempt 2"])
    for one in (made.first, made.last):
        await expect(one).to_contain_text(re.compile("took .+ · on .+ · The image is damaged"))
    await page.context.close()


async def test_an_unknown_job_is_told(browser: "Browser", jobs: Jobs) -> None:
    page = (await open_page(browser, jobs.url(f"/jobs/{'0' * 32}"))).page
    await expect(page.get_by_role("alert")).to_contain_text("There is no such job.")
    await page.goto(jobs.url("/nowhere"))
    await expect(page.get_by_text("There is no such page.")).to_be_visible()
    await page.context.close()


async def test_scripts_of_uploads_are_text(browser: "Browser", jobs: Jobs) -> None:
    visit = await open_page(browser, jobs.url())
    page = visit.page
    await page.locator(".job .name").get_by_text(SCRIPTED, exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(SCRIPTED)
    await page.get_by_text("Context").click()
    await page.get_by_text("All that is known of the source").click()
    await expect(page.locator("pre").first).to_contain_text("<script>")
    assert await page.title() == f"{SCRIPTED} · Dashboard · QuickThumb"
    assert await page.locator("main script, main [onerror]").count() == 0
    assert not faults(visit)
    await page.context.close()


async def test_failures_are_grouped_with_an_example(browser: "Browser", jobs: Jobs) -> None:
    visit = await open_page(browser, jobs.url("/failures?span=week"))
    page = visit.page
    group = page.locator(".failure").filter(has_text="broken_image")
    await expect(group.get_by_role("heading")).to_contain_text("The image is damaged")
    await expect(group.get_by_role("link", name="cut-off.jpg")).to_be_visible()
    await group.get_by_role("link", name="Show the job").click()
    await expect(page.locator(".job .name")).to_have_text(["cut-off.jpg"])
    assert page.url == jobs.url("?status=FAILED&error=broken_image")
    assert not faults(visit)
    await page.context.close()


async def test_the_system_is_shown_with_its_workers(browser: "Browser", jobs: Jobs) -> None:
    visit = await open_page(browser, jobs.url("/system"))
    page = visit.page
    await expect(page.locator(".workers tbody tr")).to_have_count(1)
    await expect(page.locator(".machines .card")).to_have_count(3)
    await expect(tile(page, "Workers")).to_contain_text("take jobs")
    await page.get_by_role("button", name="Last week").click()
    assert page.url == jobs.url("/system?span=week")
    chart = page.get_by_role("img", name="Jobs per second")
    await chart.focus()
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator(".chart .cross line")).to_have_count(1)
    assert not faults(visit)
    await page.context.close()


async def test_charts_survive_a_restart(browser: "Browser", tmp_path: Path) -> None:
    with running_service(tmp_path) as address, httpx.Client(base_url=address, timeout=60) as client:
        ended(client, upload(client, "before.jpg")["id"])
    with running_service(tmp_path) as address:
        page = (await open_page(browser, f"{address}/dashboard/system")).page
        await expect(tile(page, "Jobs per second")).to_contain_text("1 done")
        await page.get_by_text("As a table").first.click()
        values = page.locator(".chart").first.locator("tbody td:nth-child(2)")
        assert {text for text in await values.all_inner_texts() if text not in ("0", "–")}
        await page.context.close()


async def test_webhooks_are_added_tested_and_deleted(browser: "Browser", jobs: Jobs) -> None:
    visit = await open_page(browser, jobs.url("/webhooks"))
    page, url = visit.page, f"http://{NOBODY}/hook"
    await expect(page.get_by_text("There is no webhook.")).to_be_visible()
    await page.get_by_label("URL").fill(url)
    await page.get_by_role("button", name="Add").click()
    await expect(page.locator(".notice pre")).to_contain_text("whsec_")
    await page.get_by_role("button", name="Send a test").click()
    await expect(page.get_by_text("A test event is on its way.")).to_be_visible()
    await expect(page.locator(".hook").filter(has_text="endpoint.test")).to_be_visible()
    assert not await barriers(page)
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete the webhook").click()
    await expect(page.get_by_text("There is no webhook.")).to_be_visible()
    assert not faults(visit)
    await page.context.close()


async def test_presets_are_shown_with_samples_that_the_service_makes(browser: "Browser", jobs: Jobs) -> None:
    visit = await open_page(browser, jobs.url("/presets"))
    page = visit.page
    await expect(page.get_by_text("No sample yet").first).to_be_visible()
    await page.get_by_role("button", name="Draw samples").click()
    await expect(page.locator("figure img")).to_have_count(4)
    await page.reload()
    await expect(page.locator("figure img")).to_have_count(4)
    assert not await barriers(page)
    assert not faults(visit)
    async with httpx.AsyncClient(base_url=jobs.address) as client:
        await client.delete("/jobs", params={"tag": "preset-sample"})
    await page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(browser: "Browser", jobs: Jobs, scheme: str) -> None:
    visit = await open_page(browser, jobs.url(), color_scheme=scheme, viewport=DESKTOP)
    page = visit.page
    await row(page, "holiday-0.jpg").get_by_role("checkbox").click()
    assert not await barriers(page)
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert not await barriers(page)
    for path, ready in (
        ("?filename=nothing-like-it", "No job matches"),
        (f"/jobs/{jobs.done}", "What happened"),
        (f"/jobs/{jobs.failed}", "The image is damaged"),
        (f"/jobs/{'0' * 32}", "There is no such job"),
        ("/failures", "The image is damaged"),
        ("/webhooks", "Add a webhook"),
        ("/presets", "No sample yet"),
        ("/keys", "There are no API keys"),
        ("/system", "release"),
    ):
        await page.goto(jobs.url(path))
        await expect(page.get_by_text(ready).first).to_be_visible()
        assert not await barriers(page), path
    await page.context.close()


@pytest.mark.parametrize("path", ["", "/failures", "/webhooks", "/presets", "/system", "/jobs/{done}"])
async def test_nothing_is_wider_than_a_phone(browser: "Browser", jobs: Jobs, path: str) -> None:
    page = (await open_page(browser, jobs.url(path.format(done=jobs.done)), viewport=PHONE)).page
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await page.context.close()


async def test_the_files_of_the_page_are_small(jobs: Jobs) -> None:
    async with httpx.AsyncClient(base_url=jobs.address) as client:
        page = await client.get("/dashboard")
        urls = [part.split('"')[0] for part in page.text.replace('src="', 'href="').split('href="')[1:]]
        sizes = [len(await raw(client, url)) for url in urls if "/assets/" in url]
    assert len(sizes) > 15  # it has found them
    assert sum(sizes) < WIRE_BYTES


async def raw(client: httpx.AsyncClient, url: str) -> bytes:
    async with client.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as answer:
        return b"".join([part async for part in answer.aiter_raw()])


def tile(page: "Page", name: str) -> "Locator":
    return page.locator(".tile").filter(has=page.get_by_text(name, exact=True))
