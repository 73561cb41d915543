"""What one request may demand is bounded by its key, whichever way the image comes; and tenants have presets of their
own."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
import pytest
import pytest_asyncio

from quickthumb.model.allowance import NO_BOUNDS, Bounds
from quickthumb.model.caller import Scope
from quickthumb.model.job import Job
from quickthumb.service.keys import KeyStore
from quickthumb.storage import FileStorage
from tests.conftest import http_client, picture
from tests.redis_server import RedisServer
from tests.web.sockets import connection
from tests.web_process import WebProcess, running_web

SMALL, LARGE = picture(64, 64, "PNG"), picture(400, 400, "PNG")
MOST_BYTES = len(LARGE) - 1
MOST_PIXELS = 400 * 400 - 1
SETTING_BYTES = 2_000_000
BY_KEY = "the API key or upload policy allows"
BOUNDS: Mapping[str, Bounds] = {
    "free": NO_BOUNDS,
    "avatar": Bounds(presets=("avatar", "square-32-64")),
    "gray": Bounds(presets=("gray-blur",)),
    "gone": Bounds(presets=("gone",)),
    "bytes": Bounds(max_bytes=MOST_BYTES),
    "loose": Bounds(max_bytes=10 * SETTING_BYTES, max_pixels=10**12, max_outputs=99, max_output_pixels=10**12),
    "pixels": Bounds(max_pixels=MOST_PIXELS),
    "outputs": Bounds(max_outputs=1),
    "output pixels": Bounds(max_output_pixels=10_000),
}
TENANTS = {
    "shop": {"presets": {"avatar": [{"size": "40x40"}], "thumbnail": [{"name": "thumbnail", "size": "9x9"}]}},
    "gallery": {"presets": {"avatar": [{"size": "80x80"}]}},
}
SHOP, GALLERY, PLAIN = "shop", "gallery", "plain"


@dataclass(frozen=True)
class Bounded:
    """A web process, and keys for it: of the tenant shop, one for each of BOUNDS, and of tenants without any."""

    web: WebProcess
    keys: Mapping[str, str]
    storage: FileStorage

    async def order(self, answer: httpx.Response) -> list[dict[str, Any]]:
        """The outputs of the job that was accepted."""
        assert answer.status_code < HTTPStatus.BAD_REQUEST, answer.text
        told = answer.json()
        record = (await self.storage.look_up(told.get("id") or told["task_id"])).record
        assert record is not None
        return list(Job.from_record(record).outputs)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def bounded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bounded]:
    folder = tmp_path_factory.mktemp("bounded")
    (folder / "data").mkdir()
    storage = FileStorage(folder / "data")
    storage.expect(await storage.identity())
    store = KeyStore(storage)
    keys = {name: (await store.create(SHOP, Scope, bounds=bounds))[0] for name, bounds in BOUNDS.items()}
    keys |= {tenant: (await store.create(tenant, Scope))[0] for tenant in (GALLERY, PLAIN)}
    settings: dict[str, Any] = {"tenants": json.dumps(TENANTS), "max_upload_bytes": SETTING_BYTES}
    async with RedisServer(folder) as redis, running_web(folder, redis.url, **settings) as web:
        yield Bounded(web, keys, storage)


@pytest.fixture
async def client(bounded: Bounded) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(bounded.web.address) as client:
        yield client


def in_form(image: bytes, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": "/images/", "files": {"image": ("a.png", image)}, "data": fields}


def in_query(image: bytes, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": "/images/", "params": fields, "content": image, "headers": {"Content-Type": "image/png"}}


def in_json(image: bytes, fields: Mapping[str, Any]) -> dict[str, Any]:
    read = {name: json.loads(value) if name == "outputs" else value for name, value in fields.items()}
    return {"url": "/images/", "json": {"data": base64.b64encode(image).decode(), **read}}


def in_pipeline(image: bytes, _: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": "/upload", "files": {"file": ("a.png", image)}}


def in_resizer(image: bytes, _: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": "/tasks", "json": {"data": base64.b64encode(image).decode()}}


NATIVE = (in_form, in_query, in_json)
EVERY = (*NATIVE, in_pipeline, in_resizer)
native = pytest.mark.parametrize("way", NATIVE, ids=lambda way: way.__name__)
every = pytest.mark.parametrize("way", EVERY, ids=lambda way: way.__name__)


async def send(client: httpx.AsyncClient, key: str, request: Mapping[str, Any]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}", **request.get("headers", {})}
    return await client.request("POST", **{**request, "headers": headers})


def refused(answer: httpx.Response, status: int, code: str, told: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert told in answer.json()["detail"]


@native
@pytest.mark.parametrize(
    "fields", [{"width": "9"}, {"name": "avatar"}, {"outputs": '[{"width": 9}]'}, {"preset": "avatar", "blur": "3"}]
)
async def test_with_presets_of_a_key_no_other_output_is_made(
    client: httpx.AsyncClient, bounded: Bounded, way: Any, fields: dict[str, str]
) -> None:
    kept = bounded.web.kept()
    answer = await send(client, bounded.keys["avatar"], way(SMALL, fields))
    refused(answer, 403, "preset_not_allowed", f"Only presets may be used: {BY_KEY} avatar, square-32-64.")
    assert bounded.web.kept() == kept


@native
async def test_another_preset_is_refused(client: httpx.AsyncClient, bounded: Bounded, way: Any) -> None:
    for names in ("thumbnail", ["avatar", "thumbnail"], "nonsense"):
        answer = await send(client, bounded.keys["avatar"], way(SMALL, {"preset": names}))
        refused(answer, 403, "preset_not_allowed", f"This preset may not be used: {BY_KEY} avatar, square-32-64.")
        assert answer.json()["field"] == "preset"


@native
async def test_the_presets_of_a_key_are_used_and_the_first_one_if_none_is_named(
    client: httpx.AsyncClient, bounded: Bounded, way: Any
) -> None:
    key = bounded.keys["avatar"]
    for fields in ({}, {"preset": "avatar"}, {"preset": "", "width": ""}):
        assert await bounded.order(await send(client, key, way(SMALL, fields))) == [
            {"name": "avatar", "width": 40, "height": 40}
        ]
    both = await bounded.order(await send(client, key, way(SMALL, {"preset": ["square-32-64", "avatar"]})))
    assert [output["name"] for output in both] == ["square-32", "square-64", "avatar"]


@native
async def test_a_key_whose_presets_are_gone_may_make_nothing(
    client: httpx.AsyncClient, bounded: Bounded, way: Any
) -> None:
    for fields in ({}, {"preset": "gone"}, {"width": "9"}):
        answer = await send(client, bounded.keys["gone"], way(SMALL, fields))
        refused(answer, 403, "preset_not_allowed", "allows none that exists.")


@native
async def test_what_a_bound_makes_of_a_request_is_not_made_of_another_key_s(
    client: httpx.AsyncClient, bounded: Bounded, way: Any
) -> None:
    """The same fields mean what each key and tenant may have, in whatever order they ask."""
    wanted = {
        "free": ("thumbnail", 9),
        "avatar": ("avatar", 40),
        "gray": ("gray-blur", None),
        PLAIN: ("thumbnail", 128),
    }
    for name in (*wanted, *reversed(wanted)):
        (output,) = await bounded.order(await send(client, bounded.keys[name], way(SMALL, {})))
        assert (output["name"], output.get("width")) == wanted[name]
    for name, width in ((SHOP, 40), (GALLERY, 80), (SHOP, 40)):
        key = bounded.keys["free" if name == SHOP else name]
        (output,) = await bounded.order(await send(client, key, way(SMALL, {"preset": "avatar"})))
        assert output["width"] == width
    answer = await send(client, bounded.keys[PLAIN], way(SMALL, {"preset": "avatar"}))
    assert (answer.status_code, answer.json()["field"]) == (422, "preset")


async def test_an_older_api_needs_its_preset(client: httpx.AsyncClient, bounded: Bounded) -> None:
    (output,) = await bounded.order(await send(client, bounded.keys["gray"], in_pipeline(SMALL, {})))
    assert output["name"] == "gray-blur"
    assert len(await bounded.order(await send(client, bounded.keys["avatar"], in_resizer(SMALL, {})))) == 2
    answer = await send(client, bounded.keys["gray"], in_resizer(SMALL, {}))
    refused(answer, 403, "preset_not_allowed", f"This endpoint uses the preset square-32-64: {BY_KEY} gray-blur.")
    answer = await send(client, bounded.keys["avatar"], in_pipeline(SMALL, {}))
    refused(answer, 403, "preset_not_allowed", f"This endpoint uses the preset gray-blur: {BY_KEY} avatar")
    answer = await send(client, bounded.keys["outputs"], in_resizer(SMALL, {}))
    refused(answer, 422, "order_too_large", f"The job has 2 outputs; {BY_KEY} at most 1.")


@every
async def test_an_image_of_too_many_bytes_is_refused_with_the_bound(
    client: httpx.AsyncClient, bounded: Bounded, way: Any
) -> None:
    kept = bounded.web.kept()
    answer = await send(client, bounded.keys["bytes"], way(LARGE, {}))
    refused(answer, 413, "too_many_bytes", f"The image is too large; {BY_KEY} at most {MOST_BYTES} bytes.")
    assert bounded.web.kept() == kept
    for name in ("free", "loose"):
        assert (await send(client, bounded.keys[name], way(LARGE, {}))).status_code < HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    "sent",
    [
        f"Content-Length: {MOST_BYTES + 1}\r\n\r\n".encode(),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(LARGE) + LARGE,
    ],
    ids=["declared", "arriving"],
)
async def test_too_many_bytes_are_refused_before_the_body_has_arrived(bounded: Bounded, sent: bytes) -> None:
    head = f"POST /images/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bounded.keys['bytes']}\r\n"
    async with connection(bounded.web.address) as asking:
        await asking.send(head.encode() + b"Content-Type: image/png\r\n" + sent)
        answer = await asking.answer()
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert BY_KEY in answer.text


async def test_the_stricter_of_setting_and_bound_counts(client: httpx.AsyncClient, bounded: Bounded) -> None:
    too_large = LARGE + bytes(SETTING_BYTES)
    answer = await send(client, bounded.keys["loose"], in_query(too_large, {}))
    refused(answer, 413, "too_many_bytes", f"at most {SETTING_BYTES} bytes are accepted.")
    answer = await send(client, bounded.keys["bytes"], in_query(too_large, {}))
    refused(answer, 413, "too_many_bytes", f"{BY_KEY} at most {MOST_BYTES} bytes.")


@every
async def test_an_image_of_too_many_pixels_is_refused_with_the_bound(
    client: httpx.AsyncClient, bounded: Bounded, way: Any
) -> None:
    answer = await send(client, bounded.keys["pixels"], way(LARGE, {}))
    refused(answer, 422, "too_many_pixels", f"The image has 400 × 400 pixels; {BY_KEY} at most {MOST_PIXELS}.")
    assert (await send(client, bounded.keys["pixels"], way(SMALL, {}))).status_code < HTTPStatus.BAD_REQUEST


@native
async def test_an_order_of_too_much_is_refused_with_the_bound(
    client: httpx.AsyncClient, bounded: Bounded, way: Any
) -> None:
    answer = await send(client, bounded.keys["outputs"], way(SMALL, {"preset": "square-32-64"}))
    refused(answer, 422, "order_too_large", f"The job has 2 outputs; {BY_KEY} at most 1.")
    fields = {"size": "101x100", "fit": "fill", "enlarge": "true"}
    answer = await send(client, bounded.keys["output pixels"], way(SMALL, fields))
    refused(answer, 422, "order_too_large", f"The outputs have 10100 pixels together; {BY_KEY} at most 10000.")
    for name in ("outputs", "output pixels"):
        assert (await send(client, bounded.keys[name], way(SMALL, {}))).status_code == HTTPStatus.ACCEPTED


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("free", {"thumbnail": 9, "square-32-64": 32, "gray-blur": None, "avatar": 40}),
        ("avatar", {"avatar": 40, "square-32-64": 32}),
        ("gone", {}),
        (GALLERY, {"thumbnail": 128, "square-32-64": 32, "gray-blur": None, "avatar": 80}),
        (PLAIN, {"thumbnail": 128, "square-32-64": 32, "gray-blur": None}),
    ],
)
async def test_the_list_of_presets_has_those_that_the_caller_may_use(
    client: httpx.AsyncClient, bounded: Bounded, name: str, listed: dict[str, int | None]
) -> None:
    answer = await client.get("/presets", headers={"Authorization": f"Bearer {bounded.keys[name]}"})
    assert {name: outputs[0].get("width") for name, outputs in answer.json()["presets"].items()} == listed
