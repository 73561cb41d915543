"""Logging in on a page, in a real browser: what pages of the service can do then, and what other pages cannot.

The browser takes every name that ends in `.test` for this machine.
"""

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from quickthumb.model.caller import Scope
from quickthumb.model.job import new_id
from tests.access.test_doors import key_for
from tests.redis_server import RedisServer
from tests.site.browser import NEEDS_BROWSER, new_page, running_browser
from tests.waiting import wait_until
from tests.web.test_strangers import FOR_ATTACKS, stranger
from tests.web_process import WebProcess, running_web

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

__all__ = ["stranger"]

pytestmark = [
    NEEDS_BROWSER,
    pytest.mark.asyncio(loop_scope="module"),
]

# The status of an answer; "none" if the browser keeps it from the page, as it does with all that are not for others.
ASK = """async ([url, method, mode]) => {
    const options = {method, mode, credentials: "include"};
    return await fetch(url, options).then(answer => answer.status || answer.type, () => "none");
}"""
LOG_IN = """async key => {
    const headers = {"Content-Type": "application/json"};
    const answer = await fetch("/session", {method: "POST", headers, body: JSON.stringify({key})});
    return (await answer.json()).login;
}"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def guarded(stranger: int, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[WebProcess, str]]:
    """The address of a service that admits pages of the other server (CORS), and a key of it."""
    folder = tmp_path_factory.mktemp("session")
    key = await key_for(folder, Scope.ADMIN)
    origins = f"http://127.0.0.1:{stranger},http://shop.test:{stranger}"
    log: dict[str, Any] = {"log_requests": "all", "log_format": "text"}
    async with RedisServer(folder) as redis, running_web(folder, redis.url, cors_origins=origins, **log) as web:
        yield web, key


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator["Browser"]:
    async with running_browser(*FOR_ATTACKS) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def page(browser: "Browser", guarded: tuple[WebProcess, str]) -> AsyncIterator["Page"]:
    """A page whose user has logged in on the page of the service."""
    web, key = guarded
    async with new_page(browser) as page:
        await page.goto(f"{web.address}/docs", wait_until="commit")
        for _ in range(2):
            assert await asked(page, web, "GET", "/jobs") == 401
            assert await page.evaluate(LOG_IN, key) == "done"
            assert await page.evaluate("document.cookie") == ""
            assert await asked(page, web, "GET", "/jobs") == 200
            assert await asked(page, web, "POST", "/jobs/cancel?status=WAITING") == 200
            assert await asked(page, web, "DELETE", "/session") == 204
        assert await page.evaluate(LOG_IN, key) == "done"
        yield page


async def asked(page: "Page", web: WebProcess, method: str, target: str, mode: str = "cors") -> object:
    """What a page sees of an answer."""
    return await page.evaluate(ASK, [f"{web.address}{target}", method, mode])


async def answered(page: "Page", web: WebProcess, method: str, verb: str = "") -> int:
    """What the service answers to a page, about a job that does not exist; the page sees nothing of it."""
    path = f"/jobs/{new_id()}{verb}"
    assert await asked(page, web, method, path, "no-cors") == "none"
    found: list[str] = []

    def is_logged() -> bool:
        found[:] = re.findall(rf"{method} {path}: (\d+) in", web.log.read_text())
        return bool(found)

    await wait_until(is_logged)
    return int(found[0])


async def is_logged_in(page: "Page", web: WebProcess) -> bool:
    typed = await page.goto(f"{web.address}/jobs")
    return typed is not None and typed.status == 200


async def test_a_page_at_another_port_is_of_the_same_site_and_is_refused(
    page: "Page", guarded: tuple[WebProcess, str], stranger: int
) -> None:
    web, _ = guarded
    await page.goto(f"http://127.0.0.1:{stranger}/")
    # The browser sends the cookie all the same; without it, the answer would be 401.
    assert await answered(page, web, "GET") == 403
    assert await answered(page, web, "POST", "/cancel") == 403
    # CORS admits the page, but never with cookies.
    for method, target in (("GET", "/jobs"), ("POST", "/jobs/cancel?status=WAITING"), ("DELETE", "/session")):
        assert await asked(page, web, method, target) == "none"
    assert await is_logged_in(page, web)


@pytest.mark.parametrize("host", ["shop.test", "evil.test"])
async def test_a_page_of_another_site_has_no_cookie(
    page: "Page", guarded: tuple[WebProcess, str], stranger: int, host: str
) -> None:
    web, _ = guarded
    await page.goto(f"http://{host}:{stranger}/")
    assert await answered(page, web, "GET") == 401
    assert await answered(page, web, "POST", "/cancel") == (401 if host == "shop.test" else 403)
    for method, target in (("GET", "/jobs"), ("POST", "/jobs/cancel?status=WAITING"), ("DELETE", "/session")):
        assert await asked(page, web, method, target) == "none"
    assert await is_logged_in(page, web)
