"""The doors of a service with keys: the client, Swagger UI's document, older APIs, and a service that is open."""

from http import HTTPStatus
from pathlib import Path

import httpx
import psutil
import pytest

from quickthumb.client import Client, Problem
from quickthumb.model.api_key import new_text
from quickthumb.model.caller import Scope
from quickthumb.service.keys import KeyStore
from quickthumb.storage import FileStorage
from tests.conftest import http_client, picture, running_service
from tests.redis_server import RedisServer
from tests.web_process import running_web

EVERY = "0.0.0.0"  # noqa: S104 - one test listens there for a moment


async def key_for(folder: Path, *scopes: Scope, tenant: str = "shop") -> str:
    """A key in the data folder of a service that is to be started."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    storage = FileStorage(folder / "data")
    await storage.identity()
    text, _ = await KeyStore(storage).create(tenant, scopes)
    return text


def own_address() -> str | None:
    """An address of this machine that is not a loopback one."""
    found = [one.address for all_of in psutil.net_if_addrs().values() for one in all_of if one.family.name == "AF_INET"]
    return next((address for address in found if not address.startswith("127.")), None)


async def test_the_client_sends_its_key(tmp_path: Path) -> None:
    key = await key_for(tmp_path, Scope.IMAGES_WRITE, Scope.JOBS_READ, Scope.RESULTS_READ)
    with running_service(tmp_path) as address:
        with Client(address, key=key) as client:
            job = client.wait(client.upload(picture(), filename="cat.jpg").id)
            assert job.status == "DONE"
        with Client(address) as client, pytest.raises(Problem) as refused:
            client.upload(picture(), filename="cat.jpg")
        assert refused.value.code == "key_required"


async def test_older_clients_without_a_key_act_for_one_tenant(tmp_path: Path) -> None:
    mine = await key_for(tmp_path, Scope.ADMIN)
    legacy = await key_for(tmp_path, Scope.ADMIN, tenant="legacy")
    async with (
        RedisServer(tmp_path) as redis,
        running_web(tmp_path, redis.url, compat_tenant="legacy") as web,
        http_client(web.address) as client,
    ):
        upload = {"file": ("cat.jpg", picture(), "image/jpeg")}
        accepted = await client.post("/upload", files=upload)
        assert accepted.status_code < 300
        job = f"/jobs/{accepted.json()['task_id']}"
        seen = [
            (await client.get(job, headers={"Authorization": f"Bearer {key}"})).status_code for key in (legacy, mine)
        ]
        assert seen == [HTTPStatus.OK, HTTPStatus.NOT_FOUND]
        assert (await client.get(job)).status_code == HTTPStatus.UNAUTHORIZED
        wrong = await client.post("/upload", files=upload, headers={"Authorization": "Bearer qt_wrong"})
        assert wrong.status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("is_open", [False, True])
async def test_a_service_without_keys_answers_to_other_machines_only_if_it_is_meant_to(
    tmp_path: Path, is_open: bool
) -> None:
    address = own_address()
    if address is None:
        pytest.skip("this machine has no address but loopback ones")
    words = ("uvicorn", "quickthumb.app:app", "--host", EVERY, "--port", "0")
    async with (
        RedisServer(tmp_path) as redis,
        running_web(tmp_path, redis.url, words=words, open_access=is_open) as web,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        local = await client.get(f"http://127.0.0.1:{web.port}/jobs")
        other = await client.get(f"http://{address}:{web.port}/jobs")
        asked = await client.get(f"http://{address}:{web.port}/session")
        login = await client.post(f"http://{address}:{web.port}/session", json={"key": new_text()})
        health = await client.get(f"http://{address}:{web.port}/healthz")
    assert local.status_code == health.status_code == HTTPStatus.OK
    assert asked.json()["login"] == ("not_needed" if is_open else "needed")
    assert (login.status_code, login.json()["code"]) == (401, "invalid_key" if is_open else "key_required")
    if is_open:
        assert other.status_code == HTTPStatus.OK
    else:
        assert (other.status_code, other.json()["code"]) == (HTTPStatus.UNAUTHORIZED, "key_required")


async def test_the_document_tells_clients_of_the_key(waiting_document: dict[str, object]) -> None:
    document = waiting_document
    components = document["components"]
    assert isinstance(components, dict)
    assert components["securitySchemes"]["apiKey"]["scheme"] == "bearer"
    paths = document["paths"]
    assert isinstance(paths, dict)
    assert components["securitySchemes"]["session"]["in"] == "cookie"
    assert paths["/images/"]["post"]["security"] == [{"apiKey": ["images:write"]}, {"session": ["images:write"]}]
    assert "security" not in paths["/healthz"]["get"]
    assert {"401", "403"} <= paths["/images/"]["post"]["responses"].keys()


@pytest.fixture
async def waiting_document(service: str) -> dict[str, object]:
    async with http_client(service) as client:
        found: dict[str, object] = (await client.get("/openapi.json")).json()
        return found
