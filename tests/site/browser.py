"""A real browser for tests of pages, and what axe-core finds in what it shows."""

import contextlib
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

playwright = pytest.importorskip("playwright.async_api", reason="needs playwright, which this Python does not have")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
NEEDS_BROWSER = pytest.mark.skipif(BROWSER is None, reason=f"needs a browser: {', '.join(BROWSERS)}")
# Root must run Chromium without its sandbox; the other options stop it from calling its vendor's servers.
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Swagger UI says so of every list of files, and then shows it with the means that it has for files.
UNIMPORTANT = ("Could not find component: JsonSchema_string_binary",)

# axe-core 4.10.3, MPL 2.0: axe.license.txt.
AXE = Path(__file__).with_name("axe.min.js")
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Visit:
    """A page, with the errors it logged and the URLs it requested."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requested: list[str] = []
        page.on("console", lambda message: self._hear(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        page.on("request", lambda request: self.requested.append(request.url))

    def _hear(self, text: str) -> None:
        if text not in UNIMPORTANT:
            self.complaints.append(text)


@contextlib.asynccontextmanager
async def running_browser(*options: str) -> AsyncIterator["Browser"]:
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=BROWSER, args=[*OPTIONS, *options])
        yield browser
        await browser.close()


@contextlib.asynccontextmanager
async def new_page(browser: "Browser") -> AsyncIterator["Page"]:
    """A page that shares no cookies, cache or storage with any other."""
    page = await browser.new_page()
    page.set_default_timeout(100_000)
    yield page
    await page.context.close()


async def barriers(page: "Page", rules: Sequence[str] | None = None) -> list[str]:
    """What axe-core finds in the page as it is now: each rule with the elements that break it. `rules` are those to
    check; without any, all of WCAG 2.2 AA and the best practices."""
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(AXE.read_text(encoding="utf-8"))
    only = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": AXE_TAGS}
    found = await page.evaluate("only => axe.run(document, { runOnly: only, resultTypes: ['violations'] })", only)
    return [
        f"{rule['id']}: {rule['help']}: {node['target']} {node.get('failureSummary', '')}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
