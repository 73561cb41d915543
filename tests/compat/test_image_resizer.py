"""A client of the Image Resizer: it posts a square image as base64, and fetches it small."""

import base64
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.conftest import picture
from tests.imaging.location.files import TRACES, exif, saved
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web_process import running_web

SQUARE = picture(300, 300)


class ResizerClient:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def post(self, data: bytes) -> httpx.Response:
        return await self._http.post("/tasks", json={"data": base64.b64encode(data).decode()})

    async def task(self, data: bytes) -> str:
        answer = await self.post(data)
        assert answer.status_code == 201
        body = answer.json()
        assert body.keys() == {"id", "status"}
        assert body["status"] in ("WAITING", "IN_PROGRESS", "DONE")
        task_id: str = body["id"]
        return task_id

    async def ended(self, task_id: str) -> str:
        statuses: list[str] = []

        async def has_ended() -> bool:
            answer = await self._http.get(f"/tasks/{task_id}")
            assert answer.status_code == 200
            body = answer.json()
            assert body.keys() == {"id", "status"}
            assert body["id"] == task_id
            statuses.append(body["status"])
            return body["status"] in ("DONE", "FAILED")

        await wait_until(has_ended)
        assert set(statuses) <= {"WAITING", "IN_PROGRESS", "DONE", "FAILED"}
        return statuses[-1]

    async def image(self, task_id: str, size: str, accept: str | None = None) -> httpx.Response:
        headers = {} if accept is None else {"Accept": accept}
        return await self._http.get(f"/tasks/{task_id}/image", params={"size": size}, headers=headers)


@pytest.fixture
def client(http: httpx.AsyncClient) -> ResizerClient:
    return ResizerClient(http)


def picture_of(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data)) as image:
        image.load()
        return image


def side(data: bytes) -> tuple[int, int]:
    with Image.open(BytesIO(data)) as image:
        image.load()
        return image.size


async def test_it_is_fetched_in_each_size(client: ResizerClient) -> None:
    task_id = await client.task(SQUARE)
    assert await client.ended(task_id) == "DONE"
    for size, expected in (("32", 32), ("64", 64)):
        answer = await client.image(task_id, size)
        assert answer.status_code == 200
        body = answer.json()
        assert (body.keys(), body["id"], body["size"]) == ({"id", "size", "data"}, task_id, size)
        data = base64.b64decode(body["data"], validate=True)
        assert side(data) == (expected, expected)
        raw = await client.image(task_id, size, "image/*")
        assert raw.headers["content-type"].startswith("image/")
        assert raw.content == data
    original = (await client.image(task_id, "original")).json()
    assert base64.b64decode(original["data"]) == SQUARE
    assert (await client.image(task_id, "original", "image/*")).content == SQUARE


async def test_an_original_says_no_place(client: ResizerClient) -> None:
    data = saved("JPEG", picture_of(SQUARE), exif=exif())
    task_id = await client.task(data)
    assert await client.ended(task_id) == "DONE"
    inline = base64.b64decode((await client.image(task_id, "original")).json()["data"])
    raw = (await client.image(task_id, "original", "image/*")).content
    assert inline == raw != data
    assert len(raw) == len(data)
    assert not any(trace in raw for trace in TRACES)


async def test_a_small_one_is_made_larger(client: ResizerClient) -> None:
    task_id = await client.task(picture(20, 20, "PNG"))
    assert await client.ended(task_id) == "DONE"
    assert side((await client.image(task_id, "64", "image/*")).content) == (64, 64)


async def test_a_large_original_comes_whole(client: ResizerClient) -> None:
    large = Image.effect_noise((1000, 1000), 100)
    file = BytesIO()
    large.save(file, "PNG")
    task_id = await client.task(file.getvalue())
    await client.ended(task_id)
    answer = await client.image(task_id, "original")
    assert len(answer.content) == int(answer.headers["content-length"])
    assert base64.b64decode(answer.json()["data"]) == file.getvalue()


async def test_only_squares_are_taken(client: ResizerClient) -> None:
    answer = await client.post(picture(300, 200))
    assert answer.status_code == 422


async def test_only_json_is_taken(http: httpx.AsyncClient) -> None:
    assert (await http.post("/tasks", files={"image": ("cat.jpg", SQUARE)})).status_code == 415
    assert (await http.post("/tasks", json={"data": "no base64!"})).status_code == 400
    assert (await http.post("/tasks", json={})).status_code == 400


async def test_other_sizes_are_refused(client: ResizerClient, http: httpx.AsyncClient) -> None:
    task_id = await client.task(SQUARE)
    for size in ("33", "0", "32x32", ""):
        assert (await client.image(task_id, size)).status_code == 422
    assert (await http.get(f"/tasks/{task_id}/image")).status_code == 422


async def test_what_is_not_ready_is_a_conflict(tmp_path: Path) -> None:
    async with (
        RedisServer(tmp_path) as redis,
        running_web(tmp_path, redis.url) as web_without_worker,
        httpx.AsyncClient(base_url=web_without_worker.address, trust_env=False) as http,
    ):
        client = ResizerClient(http)
        task_id = await client.task(SQUARE)
        assert (await http.get(f"/tasks/{task_id}")).json() == {"id": task_id, "status": "WAITING"}
        for size in ("32", "64", "original"):
            assert (await client.image(task_id, size)).status_code == 409


async def test_a_broken_image_fails(client: ResizerClient) -> None:
    task_id = await client.task(SQUARE[: len(SQUARE) // 2])
    assert await client.ended(task_id) == "FAILED"
    assert (await client.image(task_id, "32")).status_code == 404


async def test_an_unknown_task_is_not_found(client: ResizerClient, http: httpx.AsyncClient) -> None:
    assert (await http.get(f"/tasks/{'0' * 32}")).status_code == 404
    assert (await client.image("0" * 32, "32")).status_code == 404
