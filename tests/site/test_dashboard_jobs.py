"""The list of jobs on `/dashboard`: filters, what is live, and verbs for many."""

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from tests.site.browser import NEEDS_BROWSER, playwright, running_browser
from tests.site.dashboard import LATER, READER, Jobs, act, faults, open_page, row, upload

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

expect = playwright.expect
pytestmark = [NEEDS_BROWSER, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator["Browser"]:
    async with running_browser() as browser:
        yield browser


async def test_the_list_shows_jobs_newest_first_with_pictures(browser: "Browser", jobs: Jobs) -> None:
    visit = await open_page(browser, jobs.url())
    page = visit.page
    await expect(row(page, "holiday-0.jpg").locator(".thumb img")).to_be_visible()
    names = await page.locator(".job .name").all_inner_texts()
    assert names.index("holiday-2.jpg") < names.index("holiday-1.jpg") < names.index("holiday-0.jpg")
    assert await row(page, "cut-off.jpg").locator(".facts").inner_text() == "The image is damaged"
    assert await page.locator(".statuses [data-status=FAILED] .count").inner_text() == "1"
    assert not faults(visit)
    await page.context.close()


async def test_filters_live_in_the_url(browser: "Browser", jobs: Jobs) -> None:
    visit = await open_page(browser, jobs.url())
    page, shown = visit.page, visit.page.locator(".job .name")
    await page.get_by_role("button", name="Failed").click()
    await expect(shown).to_have_text(["cut-off.jpg"])
    assert page.url == jobs.url("?status=FAILED")
    await page.get_by_label("Search").fill("holiday")
    await expect(page.get_by_text("No job matches these filters.")).to_be_visible()
    await page.locator(".statuses [data-status='']").click()
    await expect(shown).to_have_text(["holiday-2.jpg", "holiday-1.jpg", "holiday-0.jpg"])
    await page.go_back()
    await page.go_back()
    await expect(shown).to_have_text(["cut-off.jpg"])
    await page.get_by_role("button", name="Clear filters").click()
    await page.get_by_label("Format").select_option("png")
    await expect(shown).to_have_text(["later.png"])
    await page.goto(jobs.url("?error=broken_image&after=2020-01-01T00:00:00.000Z"))
    await expect(shown).to_have_text(["cut-off.jpg"])
    assert await page.get_by_label("Error code").input_value() == "broken_image"
    await page.goto(jobs.url("?tag=album&before=2020-01-01T00:00:00.000Z"))
    await expect(page.get_by_text("No job matches these filters.")).to_be_visible()
    await page.goto(jobs.url("?tag=album&tenant=*"))
    await expect(shown).to_have_count(3)
    assert not faults(visit)
    await page.context.close()


async def test_an_id_in_the_search_opens_the_job(browser: "Browser", jobs: Jobs) -> None:
    page = (await open_page(browser, jobs.url())).page
    await page.get_by_label("Search").fill(jobs.done)
    await expect(page.get_by_role("heading", name="holiday-0.jpg")).to_be_visible()
    assert page.url == jobs.url(f"/jobs/{jobs.done}")
    await page.go_back()
    await expect(row(page, "holiday-0.jpg")).to_be_visible()
    await page.context.close()


async def test_new_jobs_appear_and_end_by_themselves(browser: "Browser", jobs: Jobs) -> None:
    visit = await open_page(browser, jobs.url("?tag=live"))
    page = visit.page
    await expect(page.get_by_text("No job matches these filters.")).to_be_visible()
    with httpx.Client(base_url=jobs.address) as client:
        job_id = upload(client, "fresh.jpg", tag="live", run_at=LATER)["id"]
        await expect(row(page, "fresh.jpg").locator("[data-status=WAITING]")).to_be_visible()
        act(client, "POST", f"/jobs/{job_id}/cancel")
        await expect(row(page, "fresh.jpg").locator("[data-status=CANCELLED]")).to_be_visible()
        act(client, "DELETE", f"/jobs/{job_id}")
        await expect(row(page, "fresh.jpg")).to_have_count(0)
    assert not faults(visit)
    await page.context.close()


async def test_selected_jobs_are_cancelled_and_deleted(browser: "Browser", jobs: Jobs) -> None:
    with httpx.Client(base_url=jobs.address) as client:
        for number in range(3):
            upload(client, f"many-{number}.jpg", tag="many", run_at=LATER)
    page = (await open_page(browser, jobs.url("?tag=many"))).page
    await row(page, "many-2.jpg").get_by_role("checkbox").click()
    await row(page, "many-0.jpg").get_by_role("checkbox").click(modifiers=["Shift"])
    await expect(page.get_by_text("3 selected")).to_be_visible()
    await row(page, "many-1.jpg").get_by_role("checkbox").click()
    bulk = page.get_by_role("region", name="Selected jobs")
    await bulk.get_by_role("button", name="Cancel").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel 2 jobs").click()
    await expect(page.locator("[data-status=CANCELLED].status")).to_have_count(2)
    await expect(row(page, "many-1.jpg").locator("[data-status=WAITING]")).to_be_visible()
    await row(page, "many-2.jpg").get_by_role("checkbox").click()
    await bulk.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete 1 job").click()
    await expect(page.locator(".job .name")).to_have_text(["many-1.jpg", "many-0.jpg"])
    await page.context.close()


async def test_all_that_match_are_deleted_after_a_count(browser: "Browser", jobs: Jobs) -> None:
    with httpx.Client(base_url=jobs.address) as client:
        for number in range(4):
            upload(client, f"sweep-{number}.jpg", run_at=LATER)
    page = (await open_page(browser, jobs.url("?filename=sweep"))).page
    await expect(page.locator(".job .name")).to_have_count(4)
    await page.get_by_role("button", name="Act on all that match").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("button", name="Nothing to retry")).to_be_disabled()
    await expect(dialog.get_by_role("button", name="Cancel 4 unfinished jobs")).to_be_enabled()
    await dialog.get_by_role("button", name="Delete 4 jobs").click()
    await expect(page.get_by_text("4 jobs deleted.")).to_be_visible()
    await expect(page.get_by_text("No job matches these filters.")).to_be_visible()
    async with httpx.AsyncClient(base_url=jobs.address) as client:
        assert (await client.get(f"/jobs/{jobs.done}")).status_code == 200
    await page.context.close()


async def test_a_key_that_only_reads_gets_no_verbs(browser: "Browser", jobs: Jobs) -> None:
    async def reader(route: "Route") -> None:
        await route.fulfill(content_type="application/json", body=json.dumps(READER))

    visit = await open_page(browser, "about:blank")
    page = visit.page
    await page.route("**/session", reader)
    await page.goto(jobs.url())
    await expect(row(page, "holiday-0.jpg")).to_be_visible()
    assert await page.get_by_role("checkbox").count() == 0
    assert await page.get_by_text("Act on all").count() == 0
    assert await page.get_by_role("navigation", name="Dashboard").get_by_role("link").all_inner_texts() == ["Jobs"]
    await page.goto(jobs.url(f"/jobs/{jobs.failed}"))
    await expect(page.get_by_role("heading", name="cut-off.jpg")).to_be_visible()
    assert await page.get_by_role("button", name="Retry").count() == 0
    await page.goto(jobs.url("/system"))
    await expect(page.get_by_text("Your API key may not see this page.")).to_be_visible()
    await page.context.close()


async def test_a_failed_page_can_be_tried_again(browser: "Browser", jobs: Jobs) -> None:
    async def refuse(route: "Route") -> None:
        problem = {"status": 503, "code": "queue_unavailable", "detail": "Redis cannot be reached."}
        await route.fulfill(status=503, content_type="application/problem+json", body=json.dumps(problem))

    visit = await open_page(browser, "about:blank")
    page = visit.page
    await page.route("**/jobs?**", refuse)
    await page.goto(jobs.url())
    await expect(page.get_by_role("alert")).to_contain_text("Redis cannot be reached.")
    await page.unroute("**/jobs?**")
    await page.get_by_role("button", name="Try again").click()
    await expect(row(page, "holiday-0.jpg")).to_be_visible()
    await page.context.close()
