"""Signed URLs: what lets a bearer download, and every way in which it does not."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import pytest_asyncio

from quickthumb.config import ConfigError, load
from quickthumb.http.errors import InvalidSignature
from quickthumb.http.signing import ROUNDING_SECONDS, Signer, _signature
from quickthumb.model.caller import Scope
from quickthumb.service.keys import KeyStore
from quickthumb.storage import FileStorage
from tests.conftest import CHECKOUT, http_client, picture, running_service

OLD, NEW, OTHER = "old-secret-" * 4, "new-secret-" * 4, "another-one" * 4
PATH = "/jobs/5f0c7d0e5f0c7d0e5f0c7d0e5f0c7d0e/results/thumbnail"
FUNCTIONS = {
    "sign.py": (sys.executable,),
    "sign.mjs": ("node",),
    "sign.php": ("php",),
    "sign.rb": ("ruby",),
    "sign.go": ("go", "run"),
}


def parts(url: str) -> tuple[str, str]:
    path, _, query = url.partition("?")
    return path, query


def test_what_one_secret_signed_another_does_not_accept() -> None:
    path, query = parts(Signer([NEW]).signed(PATH, 60))
    Signer([NEW]).check("GET", path, query)
    Signer([NEW]).check("HEAD", path, query)
    Signer([OLD, NEW]).check("GET", path, query)
    for signer in (Signer([OLD]), Signer([])):
        with pytest.raises(InvalidSignature, match="not that of this URL"):
            signer.check("GET", path, query)


@pytest.mark.parametrize(
    ("method", "changed_path", "change"),
    [
        ("DELETE", PATH, "{}"),
        ("POST", PATH, "{}"),
        ("GET", PATH.replace("thumbnail", "other"), "{}"),
        ("GET", PATH.replace("5f", "6f"), "{}"),
        ("GET", PATH, "{}&size=1"),
        ("GET", PATH, "{}="),
        ("GET", PATH, "signature="),
        ("GET", PATH, "expires=99999999999&signature=x"),
        ("GET", PATH, "{}&expires=99999999999"),
        ("GET", PATH, "signature=x&{}"),
        ("GET", PATH, "&".join(f"a{number}=1" for number in range(20)) + "&{}"),
        ("GET", PATH, "%ff{}"),
    ],
)
def test_any_change_makes_it_worthless(method: str, changed_path: str, change: str) -> None:
    _, query = parts(Signer([NEW]).signed(PATH, 60))
    with pytest.raises(InvalidSignature):
        Signer([NEW]).check(method, changed_path, change.format(query))


def test_each_digit_of_the_signature_counts() -> None:
    _, query = parts(Signer([NEW]).signed(PATH, 60))
    start = query.index("signature=") + len("signature=")
    # The last digit of base64 has two bits that decode to nothing; they count as well.
    for place in range(start, len(query)):
        other = "A" if query[place] != "A" else "B"
        with pytest.raises(InvalidSignature):
            Signer([NEW]).check("GET", PATH, query[:place] + other + query[place + 1 :])


def test_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    path, query = parts(Signer([NEW]).signed(PATH, 60))
    expires = int(query.partition("expires=")[2].partition("&")[0])
    assert expires % 60 == 0
    monkeypatch.setattr("time.time", lambda: expires - 1.0)
    Signer([NEW]).check("GET", path, query)
    monkeypatch.setattr("time.time", lambda: float(expires))
    with pytest.raises(InvalidSignature, match="expired"):
        Signer([NEW]).check("GET", path, query)


@pytest.mark.parametrize("expires", ["", "-1", "1e99", "9" * 5000, "\u0661" * 12])
def test_a_time_that_is_none_is_not_right_even_if_it_is_signed(expires: str) -> None:
    signature = _signature(NEW.encode(), "GET", PATH, [("expires", expires)])
    with pytest.raises(InvalidSignature, match="expired"):
        Signer([NEW]).check("GET", PATH, urlencode({"expires": expires, "signature": signature}))


@pytest.mark.parametrize("secrets", ["short", f"{NEW},short", f"{NEW},"])
def test_a_secret_that_can_be_guessed_is_refused(secrets: str) -> None:
    with pytest.raises(ConfigError, match=r"^URL_SECRETS .*at least 32 characters") as refused:
        load({"QUICKTHUMB_URL_SECRETS": secrets})
    assert NEW not in str(refused.value)


def test_the_secrets_are_no_more_shown_than_others() -> None:
    config = load({"QUICKTHUMB_URL_SECRETS": f"{NEW}, {OLD}"})
    assert config.web.listed_url_secrets == [NEW, OLD]
    assert NEW not in repr(config)
    assert load({}).web.listed_url_secrets == []


@dataclass(frozen=True)
class Signing:
    """A service with keys and secrets: its address, an owner's headers, a key that may not download, and a job."""

    address: str
    owner: dict[str, str]
    reader: dict[str, str]
    job: dict[str, Any]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def signing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Signing]:
    folder = tmp_path_factory.mktemp("signing")
    (folder / "data").mkdir()
    storage = FileStorage(folder / "data")
    await storage.identity()
    keys = KeyStore(storage)
    owner, reader = [
        {"Authorization": f"Bearer {(await keys.create('shop', scopes))[0]}"}
        for scopes in ([Scope.ADMIN], [Scope.JOBS_READ])
    ]
    with running_service(folder, url_secrets=f"{NEW},{OLD}") as address:
        async with http_client(address) as client:
            image = {"image": ("cat.jpg", picture(), "image/jpeg")}
            job = await client.post("/images/", params={"wait": 20, "sign": 600}, files=image, headers=owner)
            assert job.status_code == HTTPStatus.OK
        yield Signing(address, owner, reader, job.json())


@pytest.fixture
async def client(signing: Signing) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(signing.address) as client:
        yield client


async def test_links_are_signed_when_asked(client: httpx.AsyncClient, signing: Signing) -> None:
    one = f"/jobs/{signing.job['id']}"
    shown = (await client.get(one, params={"sign": 600}, headers=signing.owner)).json()
    listed = (await client.get("/jobs", params={"sign": 600}, headers=signing.owner)).json()["jobs"][0]
    for job in (signing.job, shown, listed):
        for url in (job["results"]["thumbnail"]["url"], job["links"]["original"]):
            answer = await client.get(url)
            assert answer.status_code == HTTPStatus.OK
            found = re.fullmatch(r"public, max-age=(\d+), immutable", answer.headers["cache-control"])
            assert found is not None
            assert 0 < int(found[1]) <= 600 + ROUNDING_SECONDS
        assert "signature" not in job["links"]["self"]
    plain = (await client.get(one, headers=signing.owner)).json()["results"]["thumbnail"]["url"]
    assert "?" not in plain
    assert (await client.get(plain)).status_code == HTTPStatus.UNAUTHORIZED
    with_key = await client.get(plain, headers=signing.owner)
    assert with_key.headers["cache-control"].startswith("private")


async def test_a_signature_that_is_not_right_is_refused_even_with_a_key(
    client: httpx.AsyncClient, signing: Signing
) -> None:
    url: str = signing.job["results"]["thumbnail"]["url"]
    for wrong in (f"{url}x", url.replace("signature=", "signature=x"), f"{url}&expires=1", f"{url}&a=1"):
        for headers in ({}, signing.owner):
            answer = await client.get(wrong, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.FORBIDDEN, "invalid_signature")


async def test_a_signed_url_opens_nothing_else(client: httpx.AsyncClient, signing: Signing) -> None:
    query = signing.job["results"]["thumbnail"]["url"].partition("?")[2]
    for method, path in (
        ("GET", "/jobs"),
        ("DELETE", f"/jobs/{signing.job['id']}"),
    ):
        answer = await client.request(method, f"{path}?{query}")
        assert answer.status_code == HTTPStatus.UNAUTHORIZED
    for path in ("", "/original"):
        answer = await client.get(f"/jobs/{signing.job['id']}{path}?{query}")
        assert answer.status_code == HTTPStatus.FORBIDDEN


async def test_who_may_not_download_cannot_sign(client: httpx.AsyncClient, signing: Signing) -> None:
    answer = await client.get(f"/jobs/{signing.job['id']}", params={"sign": 600}, headers=signing.reader)
    assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.FORBIDDEN, "insufficient_scope")
    for seconds in ("0", "604801", "soon", ""):
        answer = await client.get(f"/jobs/{signing.job['id']}", params={"sign": seconds}, headers=signing.owner)
        assert (answer.status_code, answer.json()["field"]) == (HTTPStatus.UNPROCESSABLE_ENTITY, "sign")


async def test_without_a_secret_nothing_is_signed(service: str) -> None:
    async with http_client(service) as client:
        answer = await client.get("/jobs", params={"sign": 600})
        assert (answer.status_code, answer.json()["field"]) == (HTTPStatus.UNPROCESSABLE_ENTITY, "sign")


@pytest.mark.parametrize("name", FUNCTIONS)
async def test_a_backend_signs_in_ten_lines(
    client: httpx.AsyncClient, signing: Signing, name: str, tmp_path: Path
) -> None:
    program, *words = FUNCTIONS[name]
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    path = signing.job["results"]["thumbnail"]["url"].partition("?")[0]
    file = CHECKOUT / "examples" / "signing" / name
    for secret, status in ((NEW, HTTPStatus.OK), (OLD, HTTPStatus.OK), (OTHER, HTTPStatus.FORBIDDEN)):
        url = printed([program, *words, str(file), path, secret], tmp_path)
        assert (await client.get(url)).status_code == status


def printed(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


async def test_no_url_is_good_for_longer_than_7_days() -> None:
    signer = Signer([NEW])
    for seconds, is_good in ((7 * 86_400, True), (8 * 86_400, False)):
        path, _, query = signer.signed("/jobs/1", seconds).partition("?")
        if is_good:
            assert signer.check("GET", path, query) > time.time()
        else:
            with pytest.raises(InvalidSignature, match="7 days"):
                signer.check("GET", path, query)
