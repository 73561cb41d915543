"""Upload policies: what one lets a browser do without a key, how often, and every way in which it is worthless."""

import asyncio
import base64
import json
import re
import secrets
import shutil
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from quickthumb.http.endpoints import Endpoint
from quickthumb.http.policies import HEADER
from quickthumb.http.signing import Signer
from quickthumb.model.caller import Scope
from quickthumb.service.keys import KeyStore
from quickthumb.storage import FileStorage
from tests.access.test_matrix import GUARDED, UNKNOWN_ID, names
from tests.access.test_signed_urls import FUNCTIONS, NEW, OLD, OTHER, printed
from tests.conftest import CHECKOUT, http_client, picture, running_service

ORIGIN = "https://shop.example.org"
IMAGE = {"image": ("cat.jpg", picture(), "image/jpeg")}


def code(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed(text: str, secret: str = NEW) -> str:
    """The policy with this text, which a backend would sign by the function of the docs."""
    return f"{text}.{Signer([secret]).signature('POST', '/images/', [('policy', text)])}"


def policy(secret: str = NEW, **terms: Any) -> str:
    written = {"expires": int(time.time()) + 600, "tenant": "shop", "id": secrets.token_hex(8), **terms}
    return signed(code(json.dumps(written).encode()), secret)


@dataclass(frozen=True)
class Uploading:
    """A service with keys and secrets, and an owner's headers."""

    address: str
    folder: Path
    owner: dict[str, str]

    def kept(self) -> list[Path]:
        """The files of uploads and of the uses of policies."""
        places = (self.folder / "data" / area for area in ("uploads", "policies"))
        return sorted(path for place in places for path in place.rglob("*") if path.is_file())


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def uploading(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Uploading]:
    folder = tmp_path_factory.mktemp("uploading")
    (folder / "data").mkdir()
    storage = FileStorage(folder / "data")
    await storage.identity()
    key, _ = await KeyStore(storage).create("shop", [Scope.ADMIN])
    with running_service(folder, url_secrets=f"{NEW},{OLD}", cors_origins=ORIGIN) as address:
        yield Uploading(address, folder, {"Authorization": f"Bearer {key}"})


@pytest.fixture
async def client(uploading: Uploading) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(uploading.address) as client:
        yield client


async def by_header(client: httpx.AsyncClient, text: str, **more: Any) -> httpx.Response:
    headers = {HEADER: text, **more.pop("headers", {})}
    return await client.post("/images/", files=IMAGE, headers=headers, **more)


async def by_field(client: httpx.AsyncClient, text: str, **more: Any) -> httpx.Response:
    return await client.post("/images/", data={"policy": text}, files=IMAGE, **more)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("send", [by_header, by_field])
async def test_it_lets_one_image_in_for_its_tenant(client: httpx.AsyncClient, uploading: Uploading, send: Any) -> None:
    text = policy()
    accepted = await send(client, text)
    assert accepted.status_code == HTTPStatus.ACCEPTED
    job = accepted.json()
    assert (await client.get(f"/jobs/{job['id']}", headers=uploading.owner)).status_code == HTTPStatus.OK
    assert code_of(await send(client, text)) == (HTTPStatus.FORBIDDEN, "policy_used")
    assert code_of(await by_header(client, text)) == (HTTPStatus.FORBIDDEN, "policy_used")


async def test_the_browser_can_follow_its_job_and_show_the_result_without_a_key(client: httpx.AsyncClient) -> None:
    accepted = await by_header(client, policy())
    links = accepted.json()["links"]
    assert accepted.headers["location"] == links["self"]
    job = await client.get(links["self"], headers={"Prefer": "wait=20"})
    assert job.headers["preference-applied"] == "wait=20"
    assert job.json()["status"] == "DONE"
    assert job.json()["links"] == links
    for url in (job.json()["results"]["thumbnail"]["url"], links["original"]):
        assert (await client.get(url)).status_code == HTTPStatus.OK
        assert (
            url.partition("expires=")[2].partition("&")[0] == links["self"].partition("expires=")[2].partition("&")[0]
        )
    path, _, query = links["self"].partition("?")
    for changed in (path, f"{path}?{query}&wait=20", f"{path}?{query}x", f"{path}/original?{query}", f"/jobs?{query}"):
        assert (await client.get(changed)).status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    for method, verb in (("DELETE", ""), ("POST", "/cancel"), ("POST", "/retry")):
        assert (await client.request(method, f"{path}{verb}?{query}")).status_code == HTTPStatus.UNAUTHORIZED


async def test_the_answer_to_an_upload_that_waits_has_signed_results(client: httpx.AsyncClient) -> None:
    done = await by_field(client, policy(), params={"wait": 20})
    assert done.status_code == HTTPStatus.OK
    assert (await client.get(done.json()["results"]["thumbnail"]["url"])).status_code == HTTPStatus.OK


@pytest.mark.parametrize("endpoint", [one for one in GUARDED if not one.takes_policy], ids=names)
async def test_it_opens_no_other_endpoint(client: httpx.AsyncClient, endpoint: Endpoint) -> None:
    path = re.sub(r"\{\w+_id\}", UNKNOWN_ID, endpoint.path).format(name="thumbnail", email="ada@example.com")
    for text in (policy(), policy(OTHER)):
        answer = await client.request(endpoint.method, path, headers={HEADER: text})
        assert code_of(answer) == (HTTPStatus.UNAUTHORIZED, "key_required")
        answer = await client.request(endpoint.method, path, data={"policy": text}, files=IMAGE)
        assert code_of(answer) == (HTTPStatus.UNAUTHORIZED, "key_required")


def test_one_endpoint_takes_policies() -> None:
    assert [one.operation_id for one in GUARDED if one.takes_policy] == ["createImage"]


async def test_it_is_not_taken_from_the_query(client: httpx.AsyncClient) -> None:
    answer = await client.post("/images/", params={"policy": policy()}, files=IMAGE)
    assert code_of(answer) == (HTTPStatus.UNAUTHORIZED, "key_required")


NOW = int(time.time())
WRONG = {
    "of another secret": (policy(OTHER), "signature"),
    "with other terms": (code(b'{"expires": 99999999999}') + policy()[policy().index(".") :], "signature"),
    "cut": (policy()[:-1], "base64url"),
    "longer": (f"{policy()}x", "base64url"),
    "without a signature": (policy().partition(".")[0], "base64url"),
    "empty": ("", "base64url"),
    "padded": (policy().replace(".", "=."), "base64url"),
    "no JSON": (signed(code(b"{expires")), "JSON"),
    "no base64": (signed("A"), "base64"),
    "no object": (signed(code(b"[]")), "object"),
    "not UTF-8": (signed(code(b'{"tenant": "\xff"}')), "the JSON"),
    "expired": (policy(expires=NOW - 1), "expired"),
    "too long": (policy(expires=NOW + 8 * 86_400), "7 days"),
    "with a fraction": (policy(expires=NOW + 9.5), "expires"),
    "with a time as text": (policy(expires=str(NOW + 9)), "expires"),
    "without an end": (signed(code(b'{"tenant": "shop"}')), "expires"),
    "with a misspelt limit": (policy(maxbytes=1), "maxbytes"),
    "with a wrong tenant": (policy(tenant="Shop\n"), "tenant"),
    "with no presets": (policy(presets=[]), "presets"),
    "with an output among its fields": (policy(fields={"width": 9}), "fields.width"),
    "with two ways": (policy(presets=["thumbnail"], outputs=[{"width": 9}]), "exclude"),
    "without a use": (policy(max_uses=0), "max_uses"),
    "with many uses": (policy(max_uses=101), "max_uses"),
    "with a line in its key": (policy(idempotency_key="a\nb"), "idempotency_key"),
    "for another origin": (policy(origin=ORIGIN), "origin"),
}


@pytest.mark.parametrize("send", [by_header, by_field])
@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG)
async def test_a_policy_that_is_not_right_lets_nothing_in(
    client: httpx.AsyncClient, uploading: Uploading, send: Any, text: str, told: str
) -> None:
    before = uploading.kept()
    answer = await send(client, text)
    assert code_of(answer) == (HTTPStatus.FORBIDDEN, "invalid_policy")
    assert told in answer.json()["detail"]
    assert uploading.kept() == before


async def test_each_digit_counts() -> None:
    check = Signer([NEW])
    text, _, signature = policy().partition(".")
    assert check.has_signed("POST", "/images/", [("policy", text)], signature)
    for place in range(len(text)):
        other = "A" if text[place] != "A" else "B"
        changed = text[:place] + other + text[place + 1 :]
        assert not check.has_signed("POST", "/images/", [("policy", changed)], signature)
    for place in range(len(signature)):
        other = "A" if signature[place] != "A" else "B"
        assert not check.has_signed(
            "POST", "/images/", [("policy", text)], signature[:place] + other + signature[place + 1 :]
        )


async def test_two_policies_in_the_head_are_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/images/", files=IMAGE, headers=[(HEADER, policy()), (HEADER, policy())])
    assert code_of(answer) == (HTTPStatus.FORBIDDEN, "invalid_policy")


async def test_it_is_good_for_pages_of_its_origin_only(client: httpx.AsyncClient) -> None:
    text = policy(origin=ORIGIN)
    for headers in ({}, {"Origin": "http://shop.example.org"}, {"Origin": "null"}):
        assert (await by_header(client, text, headers=headers)).status_code == HTTPStatus.FORBIDDEN
    assert (await by_header(client, text, headers={"Origin": ORIGIN})).status_code == HTTPStatus.ACCEPTED


async def test_it_may_be_in_the_head_of_an_upload_of_any_form(client: httpx.AsyncClient) -> None:
    raw = await client.post("/images/", content=picture(), headers={HEADER: policy(), "Content-Type": "image/jpeg"})
    assert raw.status_code == HTTPStatus.ACCEPTED
    body = {"data": base64.b64encode(picture()).decode()}
    assert (await client.post("/images/", json=body, headers={HEADER: policy()})).status_code == HTTPStatus.ACCEPTED


async def test_in_a_form_it_must_come_before_the_image(client: httpx.AsyncClient, uploading: Uploading) -> None:
    before = uploading.kept()
    parts: list[tuple[str, Any]] = [*IMAGE.items(), ("policy", (None, policy()))]
    answer = await client.post("/images/", files=parts)
    assert code_of(answer) == (HTTPStatus.UNAUTHORIZED, "key_required")
    assert "before the image" in answer.json()["detail"]
    far = await client.post("/images/", data={"a": "x" * 70_000, "policy": policy()}, files=IMAGE)
    assert code_of(far) == (HTTPStatus.UNAUTHORIZED, "key_required")
    assert uploading.kept() == before


async def test_other_fields_may_come_before_it(client: httpx.AsyncClient) -> None:
    answer = await client.post("/images/", data={"width": "50", "policy": policy(), "format": "png"}, files=IMAGE)
    assert answer.status_code == HTTPStatus.ACCEPTED
    job = await client.get(answer.json()["links"]["self"], headers={"Prefer": "wait=20"})
    (result,) = job.json()["results"].values()
    assert (result["width"], result["format"]) == (50, "png")


async def test_a_request_with_a_key_takes_no_policy_from_its_form(
    client: httpx.AsyncClient, uploading: Uploading
) -> None:
    answer = await by_field(client, policy(), headers=uploading.owner)
    assert (answer.status_code, answer.json()["field"]) == (HTTPStatus.UNPROCESSABLE_ENTITY, "policy")
    assert (await by_header(client, policy(OTHER), headers=uploading.owner)).status_code == HTTPStatus.FORBIDDEN


async def test_the_policy_may_say_which_outputs_are_made(client: httpx.AsyncClient) -> None:
    outputs = [{"name": "small", "width": 20}, {"name": "tiny", "width": 10}]
    text = policy(outputs=outputs)
    for asked in ({"width": "900"}, {"preset": "thumbnail"}, {"outputs": "[]"}, {"name": "a"}):
        answer = await client.post("/images/", data={"policy": text, **asked}, files=IMAGE)
        assert (answer.status_code, answer.json()["field"]) == (HTTPStatus.UNPROCESSABLE_ENTITY, next(iter(asked)))
    done = await by_field(client, text, params={"wait": 20})
    assert {name: result["width"] for name, result in done.json()["results"].items()} == {"small": 20, "tiny": 10}


@pytest.mark.parametrize(
    ("terms", "asked", "status", "told"),
    [
        ({"presets": ["thumbnail"]}, {"width": "900"}, None, None),
        ({"presets": ["thumbnail"]}, {"preset": "avatar"}, None, None),
        ({"max_bytes": 100}, {}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_bytes"),
        ({"max_pixels": 100}, {}, None, "too_many_pixels"),
    ],
)
async def test_what_it_does_not_allow_is_refused_and_uses_nothing(
    client: httpx.AsyncClient, terms: dict[str, Any], asked: dict[str, str], status: int | None, told: str | None
) -> None:
    text = policy(**terms)
    for _ in range(2):
        answer = await client.post("/images/", data={"policy": text, **asked}, files=IMAGE)
        assert HTTPStatus.BAD_REQUEST <= answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
        assert status is None or answer.status_code == status
        assert answer.json()["code"] == told if told else answer.json()["code"] != "policy_used"


async def test_it_is_good_for_as_many_images_as_it_says_at_the_same_time(client: httpx.AsyncClient) -> None:
    text = policy(max_uses=3)
    answers = await asyncio.gather(*(by_header(client, text) for _ in range(12)))
    accepted = [answer for answer in answers if answer.status_code == HTTPStatus.ACCEPTED]
    assert len(accepted) <= 3
    refused = {code_of(answer) for answer in answers if answer not in accepted}
    assert refused <= {(HTTPStatus.FORBIDDEN, "policy_used"), (HTTPStatus.CONFLICT, "policy_in_use")}
    for _ in range(3 - len(accepted)):
        assert (await by_header(client, text)).status_code == HTTPStatus.ACCEPTED
    assert code_of(await by_header(client, text)) == (HTTPStatus.FORBIDDEN, "policy_used")


async def test_a_failed_upload_gives_its_use_back(client: httpx.AsyncClient) -> None:
    text = policy()
    for files, data in (({"image": ("a.txt", b"no image")}, {}), (IMAGE, {"width": "-1"}), ({}, {"a": "1"})):
        answer = await client.post("/images/", data=data, files=files or None, headers={HEADER: text})
        assert answer.is_client_error
        assert answer.json()["code"] != "policy_used"
    assert (await by_header(client, text)).status_code == HTTPStatus.ACCEPTED


async def test_with_an_idempotency_key_a_retry_is_no_further_use(client: httpx.AsyncClient) -> None:
    text = policy(idempotency_key="order-17", id="a")
    first = await by_field(client, text)
    again = await by_field(client, text)
    assert (again.status_code, again.json()["id"]) == (HTTPStatus.ACCEPTED, first.json()["id"])
    # Another policy for the same order.
    other = policy(idempotency_key="order-17", id="b")
    assert (await by_header(client, other)).json()["id"] == first.json()["id"]
    changed = await client.post("/images/", data={"policy": text, "width": "9"}, files=IMAGE)
    assert code_of(changed) == (HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused")


async def test_a_key_of_the_browsers_own_is_not_one_of_the_tenant(
    client: httpx.AsyncClient, uploading: Uploading
) -> None:
    key = {"Idempotency-Key": "mine"}
    theirs = await client.post("/images/", files=IMAGE, headers={**uploading.owner, **key})
    text = policy()
    own = await by_header(client, text, headers=key)
    assert own.json()["id"] != theirs.json()["id"]
    assert (await by_header(client, text, headers=key)).json()["id"] == own.json()["id"]


async def test_the_identity_of_a_policy_is_its_text(client: httpx.AsyncClient) -> None:
    same: dict[str, Any] = {"expires": int(time.time()) + 600, "id": "1"}
    assert (await by_header(client, policy(**same))).status_code == HTTPStatus.ACCEPTED
    assert code_of(await by_header(client, policy(OLD, **same))) == (HTTPStatus.FORBIDDEN, "policy_used")
    assert (await by_header(client, policy(**{**same, "id": "2"}))).status_code == HTTPStatus.ACCEPTED


@pytest.mark.parametrize("name", FUNCTIONS)
async def test_a_backend_signs_one_in_three_lines(client: httpx.AsyncClient, name: str, tmp_path: Path) -> None:
    program, *words = FUNCTIONS[name]
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    file = CHECKOUT / "examples" / "signing" / name
    terms = json.dumps({"expires": int(time.time()) + 600, "tenant": "shop", "id": f"naïve {sys.platform} {name}"})
    for secret, status in ((OTHER, HTTPStatus.FORBIDDEN), (NEW, HTTPStatus.ACCEPTED), (OLD, HTTPStatus.FORBIDDEN)):
        text = printed([program, *words, str(file), terms, secret], tmp_path)
        assert (await by_field(client, text)).status_code == status


async def test_without_a_secret_no_policy_is_right(service: str) -> None:
    async with http_client(service) as client:
        assert code_of(await by_header(client, policy())) == (HTTPStatus.FORBIDDEN, "invalid_policy")
        answer = await by_field(client, policy())
        assert (answer.status_code, answer.json()["field"]) == (HTTPStatus.UNPROCESSABLE_ENTITY, "policy")


@pytest.mark.parametrize(
    "asked",
    [
        {"priority": "high"},
        {"keep": "forever"},
        {"delay": "60"},
        {"run_at": "2100-01-01T00:00:00Z"},
        {"tag": "a"},
        {"context": "{}"},
        {"widht": "9"},
    ],
)
async def test_a_browser_says_only_what_is_made(client: httpx.AsyncClient, asked: dict[str, str]) -> None:
    text, (name,) = policy(), asked
    in_form = await client.post("/images/", data={"policy": text, **asked}, files=IMAGE)
    assert (in_form.status_code, in_form.json()["field"]) == (HTTPStatus.UNPROCESSABLE_ENTITY, name)
    raw = {HEADER: text, "Content-Type": "image/jpeg"}
    in_query = await client.post("/images/", params=asked, content=picture(), headers=raw)
    assert (in_query.status_code, in_query.json()["field"]) == (HTTPStatus.UNPROCESSABLE_ENTITY, name)
    blank = await client.post("/images/", data={"policy": text, name: ""}, files=IMAGE)
    assert blank.status_code == HTTPStatus.ACCEPTED


async def test_the_backend_says_the_rest(client: httpx.AsyncClient, uploading: Uploading) -> None:
    text = policy(fields={"tag": ["a", "b"], "context": {"user": 7}, "keep": "30d", "priority": "low"})
    accepted = await client.post("/images/", data={"policy": text, "width": "20"}, files=IMAGE)
    assert accepted.status_code == HTTPStatus.ACCEPTED, accepted.text
    job = (await client.get(f"/jobs/{accepted.json()['id']}", headers=uploading.owner)).json()
    assert (job["tags"], job["context"], job["priority"]) == (["a", "b"], {"user": 7}, "low")
    other = await client.post("/images/", data={"policy": policy(fields={"tag": "a"}), "tag": "b"}, files=IMAGE)
    assert (other.status_code, other.json()["field"]) == (HTTPStatus.UNPROCESSABLE_ENTITY, "tag")


@pytest.mark.parametrize("fields", [{"prioritty": "high"}, {"keep": 1}, {"tag": ["a b"]}, {"url": "http://a.example/"}])
async def test_what_the_backend_says_wrongly_is_refused_as_in_any_order(
    client: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    answer = await by_header(client, policy(fields=fields))
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.json()["field"].partition(".")[0] in fields


async def test_a_policy_for_no_image_but_its_url_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    storage = FileStorage(tmp_path / "data")
    await storage.identity()
    await KeyStore(storage).create("shop", [Scope.ADMIN])
    with running_service(tmp_path, url_secrets=NEW, url_allowed="https://a.example/*") as address:
        async with http_client(address) as client:
            body = {"url": "https://a.example/cat.jpg"}
            answer = await client.post("/images/", json=body, headers={HEADER: policy()})
    assert (answer.status_code, answer.json()["field"]) == (HTTPStatus.UNPROCESSABLE_ENTITY, "url")
