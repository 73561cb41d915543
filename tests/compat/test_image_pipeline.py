"""A client of the image pipeline: it uploads, polls the status, and the file is there, gray and blurred."""

import re
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image, ImageChops, ImageFilter, ImageStat

from tests.compat.conftest import Site
from tests.waiting import wait_until


def colourful() -> bytes:
    """An upload with colours and sharp edges."""
    image = Image.new("RGB", (320, 200), "red")
    image.paste("blue", (0, 0, 160, 200))
    file = BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


class PipelineClient:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def upload(self, name: str, data: bytes) -> str:
        answer = await self._http.post("/upload", files={"file": (name, data)})
        assert answer.status_code == 200
        body = answer.json()
        assert body == {
            "message": "Image uploaded successfully. Background processing initiated.",
            "task_id": body["task_id"],
            "filename": name,
        }
        task_id: str = body["task_id"]
        return task_id

    async def ended(self, task_id: str) -> dict[str, Any]:
        seen: list[dict[str, Any]] = []

        async def has_ended() -> bool:
            answer = await self._http.get(f"/status/{task_id}")
            assert answer.status_code == 200
            seen.append(answer.json())
            return bool(seen[-1]["status"] != "PROCESSING")

        await wait_until(has_ended)
        assert all(body == {"task_id": task_id, "status": "PROCESSING"} for body in seen[:-1])
        return seen[-1]


@pytest.fixture
def client(http: httpx.AsyncClient) -> PipelineClient:
    return PipelineClient(http)


async def test_filters_are_applied_at_full_size(client: PipelineClient, http: httpx.AsyncClient, site: Site) -> None:
    upload = colourful()
    task_id = await client.upload("cat.jpg", upload)
    assert await client.ended(task_id) == {
        "task_id": task_id,
        "status": "COMPLETED",
        "result": {
            "status": "success",
            "file": "processed_cat.jpg",
            "message": "Filters applied successfully.",
        },
    }
    status = await http.get(f"/status/{task_id}")
    link = re.fullmatch(r'<(/processed/[0-9a-f]+)>; rel="item"', status.headers["link"])
    assert link is not None
    answer = await http.get(link[1])
    assert answer.status_code == 200
    assert 'filename="processed_cat.jpg"' in answer.headers["content-disposition"]
    with Image.open(BytesIO(answer.content)) as made, Image.open(BytesIO(upload)) as source:
        assert made.size == source.size
        expected = source.convert("L").filter(ImageFilter.GaussianBlur(2)).convert("RGB")
        difference = ImageStat.Stat(ImageChops.difference(made.convert("RGB"), expected))
        assert max(difference.mean) < 3
    assert [path for path in site.data.rglob("*.jpg") if path.read_bytes() == answer.content]


async def test_a_broken_image_fails(client: PipelineClient, http: httpx.AsyncClient) -> None:
    upload = colourful()
    task_id = await client.upload("half.jpg", upload[: len(upload) // 2])
    assert await client.ended(task_id) == {"task_id": task_id, "status": "FAILED"}
    assert (await http.get(f"/processed/{task_id}")).status_code == 404


async def test_a_name_is_never_a_path(client: PipelineClient) -> None:
    body = await client.ended(await client.upload("a b é.jpg", colourful()))
    assert body["result"]["file"] == "processed_a b é.jpg"


async def test_a_format_that_is_not_kept_has_its_own_extension(client: PipelineClient, http: httpx.AsyncClient) -> None:
    file = BytesIO()
    Image.radial_gradient("L").save(file, "TIFF")
    task_id = await client.upload("scan.tif", file.getvalue())
    assert (await client.ended(task_id))["result"]["file"] == "processed_scan.tif"
    answer = await http.get(f"/processed/{task_id}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert 'filename="processed_scan.jpg"' in answer.headers["content-disposition"]


async def test_what_cannot_be_processed_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.post("/upload", files={"file": ("a.pdf", b"%PDF-1.7")})).status_code == 415
    assert (await http.post("/upload", content=colourful())).status_code == 415
    assert (await http.post("/upload", files={}, data={"a": "b"})).status_code in (400, 415)


async def test_an_unknown_task_is_not_found(http: httpx.AsyncClient) -> None:
    for path in ("/status/", "/processed/"):
        assert (await http.get(f"{path}{'0' * 32}")).status_code == 404
