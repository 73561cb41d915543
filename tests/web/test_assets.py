"""The files of the pages for people, and what the pages may load."""

import re
from pathlib import Path

import httpx
import pytest

from quickthumb.web.assets import ASSETS, FOLDER, Assets
from quickthumb.web.selection import FORMAT_NAMES

PAGES = ["/", "/dashboard", "/dashboard/jobs"]


def url_of(name: str) -> str:
    return f"/assets/{ASSETS.version}/{name}"


async def test_a_file_may_be_kept_forever(client: httpx.AsyncClient) -> None:
    for name in ("core/base.css", "home/main.js", "icon.svg"):
        answer = await client.get(url_of(name))
        assert answer.status_code == 200
        assert answer.content == (FOLDER / name).read_bytes()
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
    plain = await client.get(url_of("icon.svg"), headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/000000000000/icon.svg",
        url_of("nothing.js"),
        url_of("../pages.py"),
        url_of("%2e%2e/pages.py"),
        url_of("home.html"),
    ],
)
async def test_nothing_else_is_served_or_kept(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert "immutable" not in answer.headers.get("cache-control", "")


def test_another_file_makes_other_urls(tmp_path: Path) -> None:
    versions: list[str] = []
    for name, content in (("a.js", b"1"), ("a.js", b"2"), ("b.js", b"2")):
        folder = tmp_path / str(len(versions))
        folder.mkdir()
        (folder / name).write_bytes(content)
        (folder / "page.html").write_bytes(b"is no file for browsers")
        found = Assets(folder)
        assert list(found.files) == [name]
        versions.append(found.version)
    assert len(set(versions)) == 3


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_runs_nothing_that_is_not_the_services_own(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["cache-control"] == "no-cache"
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|https?:", page.text)


@pytest.mark.parametrize("page", ["home.html", "dashboard.html"])
def test_a_script_imports_only_what_is_there(page: str) -> None:
    folders = ("core", page.removesuffix(".html"))
    for script in (path for folder in folders for path in (FOLDER / folder).rglob("*.js")):
        text = script.read_text(encoding="utf-8")
        for name in re.findall(r'from "([^"]+)"', text):
            assert (script.parent / name).is_file(), (script, name)
        assert "innerHTML" not in text
        assert "document.write" not in text


def test_lists_can_be_filtered_by_each_format_and_by_no_other() -> None:
    script = (FOLDER / "dashboard" / "filters.js").read_text(encoding="utf-8")
    offered = re.search(r"^const FORMATS = \[(.*)\];$", script, re.MULTILINE)
    assert offered is not None
    assert sorted(re.findall(r'"(.*?)"', offered[1])) == sorted(FORMAT_NAMES)
