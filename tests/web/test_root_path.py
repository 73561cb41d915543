"""A deployment below a path prefix, behind a proxy that removes the prefix and behind one that keeps it."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.conftest import http_client, picture
from tests.redis_server import RedisServer
from tests.web_process import SERVE, running_web

PREFIX = "/thumbs"
PLAIN = ("uvicorn", "quickthumb.app:app", "--port", "0")


@dataclass(frozen=True)
class Proxied:
    """The service as clients see it through a reverse proxy."""

    address: str
    keeps_prefix: bool

    async def ask(self, method: str, url: str, **given: Any) -> httpx.Response:
        """Sends what the proxy would pass on. The URL is one that clients use, so it has the prefix."""
        assert url.startswith(f"{PREFIX}/"), url
        passed_on = url if self.keeps_prefix else url.removeprefix(PREFIX)
        async with http_client(self.address) as client:
            return await client.request(method, passed_on, **given)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def prefixed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, str]]:
    """Three ways to tell the prefix to a web process."""
    folder = tmp_path_factory.mktemp("prefixed")
    async with (
        RedisServer(folder) as redis,
        running_web(folder / "1", redis.url, words=(*SERVE, "--root-path", f"{PREFIX}/"), redis_prefix="1") as serve,
        running_web(folder / "2", redis.url, words=PLAIN, root_path=PREFIX, redis_prefix="2") as setting,
        running_web(folder / "3", redis.url, words=(*PLAIN, "--root-path", PREFIX), redis_prefix="3") as uvicorn,
    ):
        yield {"serve": serve.address, "setting": setting.address, "uvicorn": uvicorn.address}


@pytest.fixture(params=["serve", "setting", "uvicorn"])
def address(request: pytest.FixtureRequest, prefixed: dict[str, str]) -> str:
    return prefixed[request.param]


@pytest.fixture(params=[False, True], ids=["prefix removed", "prefix kept"])
def proxied(request: pytest.FixtureRequest, address: str) -> Proxied:
    return Proxied(address, keeps_prefix=request.param)


async def test_every_url_works_where_the_client_is(proxied: Proxied) -> None:
    for name in ("cat.jpg", "dog.jpg"):
        accepted = await proxied.ask("POST", f"{PREFIX}/images/", files={"image": (name, picture())})
        assert accepted.status_code == 202, accepted.text
    links = accepted.json()["links"]
    assert accepted.headers["location"] == links["self"]
    assert (await proxied.ask("GET", links["self"])).json()["links"] == links
    assert (await proxied.ask("GET", links["original"])).content == picture()
    page = (await proxied.ask("GET", f"{PREFIX}/jobs?limit=1&status=waiting")).json()
    following = (await proxied.ask("GET", page["next"])).json()
    assert page["jobs"][0]["id"] != following["jobs"][0]["id"]


async def test_older_apis_too(proxied: Proxied) -> None:
    body = {"data": base64.b64encode(picture(40, 40)).decode()}
    task = await proxied.ask("POST", f"{PREFIX}/tasks", json=body)
    assert task.status_code == 201
    assert (await proxied.ask("GET", task.headers["location"])).json()["id"] == task.json()["id"]


async def test_the_docs_load_what_they_need(proxied: Proxied) -> None:
    page = (await proxied.ask("GET", f"{PREFIX}/docs")).text
    needed = loaded_by(page)
    assert len(needed) == 6
    for url in needed:
        assert (await proxied.ask("GET", url)).status_code == 200
    assert f'data-openapi="{PREFIX}/openapi.json"' in page
    description = (await proxied.ask("GET", f"{PREFIX}/openapi.json")).json()
    assert description["servers"] == [{"url": PREFIX}]


@pytest.mark.parametrize("path", ["/", "/dashboard", "/dashboard/jobs"])
async def test_the_pages_load_what_they_need(proxied: Proxied, path: str) -> None:
    page = (await proxied.ask("GET", f"{PREFIX}{path}")).text
    assert f'data-base="{PREFIX}"' in page
    needed = [url for url in loaded_by(page) if "/assets/" in url]
    assert len(needed) > 5
    for url in needed:
        assert (await proxied.ask("GET", url)).headers["cache-control"].endswith("immutable"), url


def loaded_by(page: str) -> list[str]:
    """What a page refers to."""
    return [
        part.partition('"')[0]
        for part in page.replace('src="', 'href="').split('href="')[1:]
        if not part.startswith("#")
    ]


async def test_the_type_of_an_error_leads_to_its_explanation(proxied: Proxied) -> None:
    for path in ("/nowhere", "/jobs/x", "/docs/assets/nothing.js"):
        refused = (await proxied.ask("GET", f"{PREFIX}{path}")).json()
        url, _, anchor = refused["type"].partition("#")
        assert anchor == refused["code"]
        assert f'id="{anchor}"' in (await proxied.ask("GET", url)).text


async def test_probes_need_no_prefix(prefixed: dict[str, str]) -> None:
    for address in prefixed.values():
        async with http_client(address) as client:
            assert (await client.get("/healthz")).status_code == 200


async def test_without_a_prefix_nothing_has_one(waiting: httpx.AsyncClient) -> None:
    assert "servers" not in (await waiting.get("/openapi.json")).json()
    assert (await waiting.get("/thumbs/jobs")).status_code == 404
    assert 'href="/docs/assets/' in (await waiting.get("/docs")).text
