import base64
from pathlib import Path

import httpx
import pytest

from quickthumb.compat.names import NAMES
from quickthumb.compat.services import SERVICES, endpoints_of
from quickthumb.config import ConfigError
from tests.conftest import picture
from tests.web.test_openapi import check
from tests.web_process import running_web

ADDRESSES = (
    ("GET", "/send-email/ada@example.com"),
    ("GET", f"/job/{'0' * 32}/status"),
    ("POST", "/tasks"),
    ("GET", f"/tasks/{'0' * 32}"),
    ("GET", f"/tasks/{'0' * 32}/image?size=32"),
    ("POST", "/upload"),
    ("GET", f"/status/{'0' * 32}"),
    ("GET", f"/processed/{'0' * 32}"),
)


async def test_what_is_switched_off_is_not_there(tmp_path: Path) -> None:
    async with (
        running_web(tmp_path, f"unix://{tmp_path}/none", compat="none") as web,
        httpx.AsyncClient(base_url=web.address, trust_env=False) as client,
    ):
        for method, path in ADDRESSES:
            answer = await client.request(method, path)
            assert answer.status_code == 404, path
            assert answer.json()["code"] == "not_found"
        description = (await client.get("/openapi.json")).json()
        assert [tag["name"] for tag in description["tags"] if tag["name"].startswith("Older")] == []


async def test_each_has_its_own_tag(http: httpx.AsyncClient) -> None:
    description = (await http.get("/openapi.json")).json()
    older = [tag["name"] for tag in description["tags"] if tag["name"].startswith("Older API: ")]
    assert len(older) == len(SERVICES)
    for endpoints in SERVICES.values():
        assert len({endpoint.tag for endpoint in endpoints}) == 1


def test_each_has_a_name_that_can_be_chosen() -> None:
    assert tuple(SERVICES) == NAMES


@pytest.mark.parametrize("word", ["all", "on", "1", "true"])
def test_all_are_answered(word: str) -> None:
    assert len(endpoints_of([word])) == sum(len(endpoints) for endpoints in SERVICES.values())


@pytest.mark.parametrize("words", [["none"], ["off"], ["0"], ["False"], []])
def test_none_are_answered(words: list[str]) -> None:
    assert endpoints_of(words) == []


def test_some_are_answered() -> None:
    found = endpoints_of(["image-pipeline", "task-queue"])
    assert {endpoint.path.split("/")[1] for endpoint in found} == {"send-email", "job", "upload", "status", "processed"}


def test_a_misspelt_name_is_a_mistake_with_a_suggestion() -> None:
    with pytest.raises(
        ConfigError, match=r"^COMPAT: there is no older API named 'image-resize'\. Did you mean image-resizer\?$"
    ):
        endpoints_of(["image-resize"])
    with pytest.raises(ConfigError, match="Choose from all, none, task-queue"):
        endpoints_of(["zzz"])


async def test_answers_are_as_described(http: httpx.AsyncClient) -> None:
    description = (await http.get("/openapi.json")).json()
    square = picture(64, 64)

    async def ended(task_id: str) -> None:
        await http.get(f"/jobs/{task_id}", params={"wait": 30})

    created = await http.post("/tasks", json={"data": base64.b64encode(square).decode()})
    task = created.json()["id"]
    await ended(task)
    uploaded = await http.post("/upload", files={"file": ("cat.jpg", square)})
    upload = uploaded.json()["task_id"]
    await ended(upload)
    queued = await http.get("/send-email/ada@example.com")
    mail = queued.json()["job_id"]
    raw = {"Accept": "image/*"}
    oblong = base64.b64encode(picture(64, 32)).decode()
    for answer, method, path in (
        (created, "POST", "/tasks"),
        (await http.post("/tasks", json={"data": oblong}), "POST", "/tasks"),
        (await http.get(f"/tasks/{task}"), "GET", "/tasks/{task_id}"),
        (await http.get(f"/tasks/{task}/image?size=64"), "GET", "/tasks/{task_id}/image"),
        (await http.get(f"/tasks/{task}/image?size=65"), "GET", "/tasks/{task_id}/image"),
        (
            await http.get(f"/tasks/{task}/image?size=64", headers=raw),
            "GET",
            "/tasks/{task_id}/image",
        ),
        (uploaded, "POST", "/upload"),
        (await http.post("/upload", json={}), "POST", "/upload"),
        (await http.get(f"/status/{upload}"), "GET", "/status/{task_id}"),
        (await http.get(f"/processed/{upload}"), "GET", "/processed/{task_id}"),
        (await http.get(f"/processed/{task}"), "GET", "/processed/{task_id}"),
        (queued, "GET", "/send-email/{email}"),
        (await http.get("/send-email/ada@gmail.com"), "GET", "/send-email/{email}"),
        (await http.get(f"/job/{mail}/status"), "GET", "/job/{job_id}/status"),
    ):
        check(description, answer, method, path)
