"""`/batches`: many images in one request, each accepted or refused by itself."""

import contextlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from quickthumb.queue.keys import KEYS
from tests.conftest import http_client, picture, running_service
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web.conftest import Refusal, refusal
from tests.web.test_openapi import check
from tests.web_process import WebProcess, running_web

Batch = dict[str, Any]


def parts(*files: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", file) for file in files]


def packed(*files: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return file.getvalue()


def statuses(batch: Batch) -> list[int]:
    return [item["status"] for item in batch["jobs"]]


async def ended(client: httpx.AsyncClient, batch: Batch) -> Batch:
    found: Batch = (await client.get(batch["links"]["self"], params={"wait": 30})).json()
    assert found["ended"], found
    return found


async def test_every_image_gets_a_job(client: httpx.AsyncClient) -> None:
    files = parts(("a.jpg", picture()), ("b.png", picture(kind="PNG")), ("c.jpg", picture(50, 50)))
    answer = await client.post("/batches", data={"width": "40"}, files=files)
    assert answer.status_code == 202
    check((await client.get("/openapi.json")).json(), answer, "POST", "/batches")
    batch = answer.json()
    assert answer.headers["location"] == batch["links"]["self"] == f"/batches/{batch['id']}"
    assert statuses(batch) == [202, 202, 202]
    assert [item["filename"] for item in batch["jobs"]] == ["a.jpg", "b.png", "c.jpg"]
    found = await ended(client, batch)
    assert found["counts"] == {"DONE": 3}
    assert [item["job"]["id"] for item in found["jobs"]] == [item["job"]["id"] for item in batch["jobs"]]
    assert all(next(iter(item["job"]["results"].values()))["width"] == 40 for item in found["jobs"])
    shown = await client.get(batch["links"]["self"])
    check((await client.get("/openapi.json")).json(), shown, "GET", "/batches/{batch_id}")


async def test_one_bad_image_among_five_is_refused_by_itself(client: httpx.AsyncClient) -> None:
    files = parts(*((f"{name}.jpg", picture()) for name in "abcd"))
    files.insert(2, ("image", ("bad.txt", b"this is no image, but a text")))
    answer = await client.post("/batches", files=files)
    assert answer.status_code == 207
    batch = answer.json()
    assert statuses(batch) == [202, 202, 415, 202, 202]
    bad = batch["jobs"][2]
    assert bad["job"] is None
    assert bad["filename"] == "bad.txt"
    assert bad["error"]["code"] == "unsupported_image"
    assert bad["error"]["type"] == "/docs/errors#unsupported_image"
    assert batch["error"] is None
    found = await ended(client, batch)
    assert found["counts"] == {"DONE": 4, "REFUSED": 1}
    assert found["jobs"][2] == bad


async def test_a_zip_is_a_batch(client: httpx.AsyncClient) -> None:
    data = packed(("one/a.jpg", picture()), ("one/", b""), ("readme.txt", b"text" * 20), ("b.png", picture(kind="PNG")))
    for sent in (
        {"content": data, "headers": {"content-type": "application/zip"}, "params": {"preset": "thumbnail"}},
        {"files": parts(("all.zip", data)), "data": {"preset": "thumbnail"}},
    ):
        answer = await client.post("/batches", **sent)
        assert answer.status_code == 207, answer.text
        batch = answer.json()
        assert [(item["filename"], item["status"]) for item in batch["jobs"]] == [
            ("a.jpg", 202),
            ("readme.txt", 415),
            ("b.png", 202),
        ]
        assert (await ended(client, batch))["counts"] == {"DONE": 2, "REFUSED": 1}


async def test_results_come_as_one_zip(client: httpx.AsyncClient) -> None:
    files = parts(("a.jpg", picture()), ("a.jpg", picture(60, 60)), ("grün?.png", picture(kind="PNG")))
    outputs = json.dumps([{"name": "small", "width": 20}, {"name": "gray", "width": 30, "grayscale": True}])
    batch = (await client.post("/batches", data={"outputs": outputs}, files=files)).json()
    found = await ended(client, batch)
    answer = await client.get(batch["links"]["results"])
    check((await client.get("/openapi.json")).json(), answer, "GET", "/batches/{batch_id}/results.zip")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="{batch["id"]}.zip"')
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {
            f"{source}/{name}"
            for source, kind in (("1-a", "jpg"), ("2-a", "jpg"), ("3-grün_", "png"))
            for name in (f"small.{kind}", f"gray.{kind}")
        }
        url = found["jobs"][0]["job"]["results"]["small"]["url"]
        assert archive.read("1-a/small.jpg") == (await client.get(url)).content
    head = await client.head(batch["links"]["results"])
    assert (head.status_code, head.content) == (200, b"")


async def test_a_batch_is_shown_in_pages(client: httpx.AsyncClient) -> None:
    batch = (await client.post("/batches", files=parts(*((f"{n}.jpg", picture(20, 20)) for n in range(5))))).json()
    url, numbers = f"{batch['links']['self']}?limit=2", []
    while url:
        page = (await client.get(url)).json()
        numbers += [item["number"] for item in page["jobs"]]
        assert sum(page["counts"].values()) == 5
        url = page["next"]
    assert numbers == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=1001", "cursor=-1", "cursor=x", "cursor=99999", "wait=x"]
)
async def test_a_query_that_is_wrong_is_refused(client: httpx.AsyncClient, query: str) -> None:
    batch = (await client.post("/batches", files=parts(("a.jpg", picture(20, 20))))).json()
    told = refusal(await client.get(f"{batch['links']['self']}?{query}"))
    assert told == Refusal(422, "invalid_parameter", query.partition("=")[0])


@pytest.mark.parametrize("batch_id", ["0" * 32, "x", "0" * 31, "%2e%2e", "A" * 32])
async def test_an_unknown_batch(client: httpx.AsyncClient, batch_id: str) -> None:
    for path in (f"/batches/{batch_id}", f"/batches/{batch_id}/results.zip"):
        assert refusal(await client.get(path)) == Refusal(404, "unknown_batch")


async def test_a_removed_job_is_shown_as_removed(client: httpx.AsyncClient) -> None:
    batch = (await client.post("/batches", files=parts(("a.jpg", picture()), ("b.jpg", picture())))).json()
    await client.delete(batch["jobs"][0]["job"]["links"]["self"])
    found = await ended(client, batch)
    assert found["counts"] == {"REMOVED": 1, "DONE": 1}
    assert statuses(found) == [404, 202]
    assert found["jobs"][0]["error"]["code"] == "unknown_job"


async def test_results_before_the_end_and_without_any(waiting: httpx.AsyncClient) -> None:
    batch = (await waiting.post("/batches", files=parts(("a.jpg", picture())))).json()
    assert refusal(await waiting.get(batch["links"]["results"])) == Refusal(409, "not_ready")
    await waiting.post(f"{batch['jobs'][0]['job']['links']['self']}/cancel")
    assert (await ended(waiting, batch))["counts"] == {"CANCELLED": 1}
    assert refusal(await waiting.get(batch["links"]["results"])) == Refusal(404, "unknown_result")


async def test_an_order_that_is_wrong_refuses_the_batch(waiting: httpx.AsyncClient) -> None:
    for data in ({"widht": "40"}, {"width": "x"}, {"preset": "unknown"}):
        answer = await waiting.post("/batches", data=data, files=parts(("a.jpg", picture())))
        assert refusal(answer) == Refusal(422, "invalid_parameter", next(iter(data)))


@pytest.mark.parametrize(
    ("content_type", "body", "told"),
    [
        ("text/plain", b"x", Refusal(415, "unsupported_media_type")),
        ("image/jpeg", b"x", Refusal(415, "unsupported_media_type")),
        ("", b"x", Refusal(415, "unsupported_media_type")),
        ("multipart/form-data", b"x", Refusal(400, "malformed_request")),
        ("multipart/form-data; boundary=x", b"--x--\r\n", Refusal(400, "malformed_request", "image")),
        ("multipart/form-data; boundary=x", b"nonsense", Refusal(400, "malformed_request")),
        ("application/json", b"{}", Refusal(400, "malformed_request", "urls")),
        ("application/json", b"[", Refusal(400, "malformed_request")),
        ("application/json", b"[]", Refusal(400, "malformed_request")),
        ("application/json", b'{"urls": []}', Refusal(400, "malformed_request", "urls")),
        ("application/json", b'{"urls": "x"}', Refusal(400, "malformed_request", "urls")),
        ("application/json", b'{"urls": [1]}', Refusal(400, "malformed_request", "urls")),
        ("application/json", b'{"urls": ["x"], "data": "eA=="}', Refusal(400, "malformed_request", "urls")),
        ("application/json", json.dumps({"urls": ["x"] * 101}).encode(), Refusal(413, "batch_too_large")),
        ("application/zip", packed(), Refusal(400, "malformed_request", "image")),
        ("application/zip", packed(("a/", b"")), Refusal(400, "malformed_request", "image")),
        ("application/zip", b"PK\x03\x04", Refusal(400, "malformed_request")),
        ("application/zip", b"PK\x05\x06nonsense", Refusal(400, "malformed_request")),
    ],
)
async def test_a_body_without_a_batch_in_it(
    waiting: httpx.AsyncClient, content_type: str, body: bytes, told: Refusal
) -> None:
    assert refusal(await waiting.post("/batches", content=body, headers={"content-type": content_type})) == told


async def test_urls_are_refused_one_by_one(waiting: httpx.AsyncClient) -> None:
    urls = ["https://example.org/a.jpg", "nonsense", ""]
    batch = (await waiting.post("/batches", json={"urls": urls, "width": 20})).json()
    assert statuses(batch) == [403, 403, 403] or all(status in (403, 422) for status in statuses(batch))
    assert batch["counts"] == {"REFUSED": 3}
    form = {"urls": urls, "width": "20"}
    sent = await waiting.post(
        "/batches", files=[(name, (None, value)) for name in form for value in _listed(form[name])]
    )
    assert len(sent.json()["jobs"]) == 2


def _listed(value: Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


async def test_a_zip_that_is_cut_off_has_the_images_that_came_whole(client: httpx.AsyncClient) -> None:
    data = packed(*((f"{name}.jpg", picture()) for name in "abc"))
    answer = await client.post(
        "/batches", content=data[: data.rindex(b"PK\x03\x04") + 500], headers={"content-type": "application/zip"}
    )
    assert answer.status_code == 207
    batch = answer.json()
    assert statuses(batch) == [202, 202]
    assert batch["error"]["code"] == "malformed_request"
    found = await ended(client, batch)
    assert found["counts"] == {"DONE": 2}
    assert found["error"] == batch["error"]


async def test_a_bomb_ends_the_batch(client: httpx.AsyncClient) -> None:
    data = packed(("a.jpg", picture()), ("bomb.bmp", b"BM" + bytes(100 * 1024 * 1024)), ("b.jpg", picture()))
    answer = await client.post("/batches", content=data, headers={"content-type": "application/zip"})
    assert answer.status_code == 207
    batch = answer.json()
    assert statuses(batch)[0] == 202
    assert "b.jpg" not in [item["filename"] for item in batch["jobs"]]
    assert batch["error"]["code"] == "batch_too_large"


async def test_too_many_images_end_the_batch(waiting: httpx.AsyncClient) -> None:
    small = picture(8, 8)
    answer = await waiting.post("/batches", files=parts(*((f"{number}.jpg", small) for number in range(101))))
    assert answer.status_code == 207
    batch = answer.json()
    assert statuses(batch) == [202] * 100
    assert batch["error"]["code"] == "batch_too_large"


async def test_a_field_behind_an_image_ends_the_batch(waiting: httpx.AsyncClient) -> None:
    files: list[Any] = [("image", ("a.jpg", picture())), ("width", (None, "40")), ("image", ("b.jpg", picture()))]
    batch = (await waiting.post("/batches", files=files)).json()
    assert statuses(batch) == [202]
    assert (batch["error"]["code"], batch["error"]["field"]) == ("malformed_request", "width")


async def test_an_image_over_the_limit_is_refused_and_the_next_is_not(waiting: httpx.AsyncClient) -> None:
    large = picture() + bytes(9 * 1024 * 1024)
    for sent in (
        {"files": parts(("large.jpg", large), ("b.jpg", picture()))},
        {
            "content": packed(("large.jpg", large), ("b.jpg", picture())),
            "headers": {"content-type": "application/zip"},
        },
    ):
        batch = (await waiting.post("/batches", **sent)).json()
        assert statuses(batch) == [413, 202]
        assert batch["error"] is None


async def test_the_same_key_gives_the_same_batch(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "a batch of my own"}
    files = parts(("bad.txt", b"this is no image"), ("a.jpg", picture()))
    first = await client.post("/batches", files=files, headers=headers)
    again = await client.post("/batches", files=files, headers=headers)
    assert (first.status_code, again.status_code) == (207, 207)
    assert again.json()["id"] == first.json()["id"]
    assert statuses(again.json()) == statuses(first.json())
    alone = await client.post("/images/", files={"image": ("a.jpg", picture())}, headers=headers)
    assert refusal(alone) == Refusal(422, "idempotency_key_reused")


async def test_a_key_of_which_all_images_were_refused_is_used_too(waiting: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "nothing but text"}
    first = (await waiting.post("/batches", files=parts(("a.txt", b"this is a text")), headers=headers)).json()
    again = (await waiting.post("/batches", files=parts(("a.txt", b"this is a text")), headers=headers)).json()
    assert again == first
    assert again["ended"]


async def test_a_key_that_was_used_for_an_image(waiting: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "one image"}
    await waiting.post("/images/", files={"image": ("a.jpg", picture())}, headers=headers)
    answer = await waiting.post("/batches", files=parts(("a.jpg", picture())), headers=headers)
    assert refusal(answer) == Refusal(422, "idempotency_key_reused")


class Broken(Exception):
    pass


async def test_a_connection_that_breaks_leaves_the_images_that_came(alone: WebProcess) -> None:
    boundary, image = b"--x\r\n", picture()
    head = b'Content-Disposition: form-data; name="image"; filename="%b.jpg"\r\n\r\n'
    before = set((alone.data / "batches").glob("*/*")) if (alone.data / "batches").exists() else set()

    def records() -> set[Any]:
        return set((alone.data / "batches").glob("*/*/contents.json"))

    known = records()

    async def body() -> AsyncIterator[bytes]:
        yield boundary + head % b"a" + image + b"\r\n" + boundary + head % b"b" + image + b"\r\n" + boundary
        yield head % b"c" + image[:100]
        await wait_until(lambda: len(set((alone.data / "batches").glob("*/*")) - before) == 1)
        raise Broken

    async with http_client(alone.address) as client:
        headers = {"content-type": "multipart/form-data; boundary=x", "Idempotency-Key": "breaks"}
        with pytest.raises(Broken):
            await client.post("/batches", content=body(), headers=headers)
        await wait_until(lambda: len(records() - known) == 1)
        (contents,) = records() - known
        found = (await client.get(f"/batches/{contents.parent.name}")).json()
        assert [item["filename"] for item in found["jobs"]] == ["a.jpg", "b.jpg"]
        assert found["complete"]
        assert found["error"]["code"] == "batch_cut_off"
        # The same key tells what came, and makes no job twice.
        again = await client.post("/batches", files=parts(("a.jpg", image)), headers={"Idempotency-Key": "breaks"})
        assert again.status_code == 207
        assert again.json()["id"] == found["id"]


async def test_a_web_process_that_is_killed_leaves_the_images_that_came(tmp_path: Path) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="%b.jpg"\r\n\r\n'
    image = picture()
    async with RedisServer(tmp_path) as redis:
        async with contextlib.AsyncExitStack() as stack:
            web = await stack.enter_async_context(running_web(tmp_path, redis.url))

            async def are_queued() -> bool:
                async with Redis.from_url(redis.url) as asked:
                    return int(await asked.zcard(KEYS.queue)) == 2

            async def body() -> AsyncIterator[bytes]:
                yield head % b"a" + image + b"\r\n" + head % b"b" + image + b"\r\n" + head % b"c" + image[:100]
                await wait_until(are_queued)
                web.process.kill()

            async with http_client(web.address) as client:
                with contextlib.suppress(httpx.HTTPError):
                    headers = {"content-type": "multipart/form-data; boundary=x"}
                    await client.post("/batches", content=body(), headers=headers)
            stack.pop_all()
        assert not list((web.data / "batches").glob("*/*/contents.json"))
        (record,) = (web.data / "batches").glob("*/*/record.json")
        async with running_web(tmp_path, redis.url) as again, http_client(again.address) as client:
            found = (await client.get(f"/batches/{record.parent.name}")).json()
            assert found["counts"] == {"WAITING": 2}
            assert [item["filename"] for item in found["jobs"]] == ["a.jpg", "b.jpg"]
            assert not found["complete"]


async def test_with_a_small_limit_on_the_body(tmp_path: Any) -> None:
    with running_service(tmp_path, batch_max_bytes=20_000, batch_max_images=2) as address:
        async with http_client(address) as client:
            told = refusal(await client.post("/batches", files=parts(("a.jpg", bytes(30_000)))))
            assert told == Refusal(413, "batch_too_large")

            async def body() -> AsyncIterator[bytes]:
                for _ in range(30):
                    yield bytes(1000)

            headers = {"content-type": "application/zip"}
            answer = await client.post("/batches", content=body(), headers=headers)
            assert answer.status_code in (207, 413)
