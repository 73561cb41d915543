from pathlib import Path

import httpx
import pytest

from quickthumb.compat.services import SERVICES, endpoints_of
from quickthumb.config import ConfigError
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
    with pytest.raises(ConfigError, match=r"^COMPAT: 'image-resize' is not .* Did you mean image-resizer\?$"):
        endpoints_of(["image-resize"])
    with pytest.raises(ConfigError, match="There are all, none, task-queue"):
        endpoints_of(["zzz"])
