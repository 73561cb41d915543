"""Files as responses, from any storage: what is sent, and what happens when the file or the client disappears."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path

import httpx
import psutil
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Scope

from quickthumb.http import problems
from quickthumb.http.files import base64_answer, media_of, serve
from quickthumb.model.errors import QuickThumbError
from quickthumb.service.downloads import Download
from quickthumb.storage import FileStorage, Storage, objects
from tests.storage import memory
from tests.storage.jobs import keep
from tests.storage.memory import MemoryStorage

DATA = bytes(range(256)) * 2_000


@pytest.fixture(params=["files", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return MemoryStorage() if request.param == "memory" else FileStorage(tmp_path / "data")


async def download_of(storage: Storage, data: bytes = DATA) -> Download:
    blob = await storage.source(await keep(storage, data))
    assert blob is not None
    return Download(blob, storage)


async def removed(download: Download) -> None:
    await download.storage.remove(download.blob.key.split("/")[-2])


def test_a_photo_of_a_phone_is_downloaded_with_the_extension_that_phones_give_it() -> None:
    assert media_of("heif") == ("image/heif", "heic")


async def rendered(request: Request, error: Exception) -> Response:
    assert isinstance(error, QuickThumbError)
    return problems.known(request, error)


def app_of(download: Download) -> Starlette:
    """Two resources: the file as it is, and in base64."""

    async def show(request: Request) -> Response:
        return serve(request, download, "image/png", "inline", "cat.png")

    async def show_in_json(request: Request) -> Response:
        return base64_answer(download, {"id": 'a"b'}, "data", {"Vary": "Accept"})

    routes = [Route("/file", show), Route("/json", show_in_json)]
    return Starlette(routes=routes, exception_handlers={QuickThumbError: rendered})


def client_of(download: Download) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app_of(download)), base_url="http://test")


@pytest.fixture
async def client(storage: Storage) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(await download_of(storage)) as client:
        yield client


async def test_a_file_is_sent_whole(client: httpx.AsyncClient) -> None:
    answer = await client.get("/file")
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["content-type"] == "image/png"


async def test_its_tag_is_its_version_and_its_date_its_own(storage: Storage) -> None:
    download = await download_of(storage)
    async with client_of(download) as client:
        answer = await client.get("/file")
    assert answer.headers["etag"] == f'"{download.blob.version}"'
    assert answer.headers["last-modified"] == download.blob.modified_at.strftime("%a, %d %b %Y %H:%M:%S GMT")


async def test_the_part_of_a_range_set_that_is_there_is_sent(client: httpx.AsyncClient) -> None:
    answer = await client.get("/file", headers={"Range": f"bytes={len(DATA)}-, 100000-200000"})
    assert (answer.status_code, answer.content) == (206, DATA[100_000:200_001])
    assert answer.headers["content-range"] == f"bytes 100000-200000/{len(DATA)}"
    assert answer.headers["content-length"] == "100001"


async def test_several_parts_are_sent_as_one_body(client: httpx.AsyncClient) -> None:
    answer = await client.get("/file", headers={"Range": "bytes=300000-400000, 0-9, 999999-, -1"})
    assert answer.status_code == 206
    assert answer.headers["content-length"] == str(len(answer.content))
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    parts = list(message_from_bytes(head + answer.content, policy=HTTP).iter_parts())
    assert [(part["content-range"], part.get_content_type(), part.get_payload(decode=True)) for part in parts] == [
        (f"bytes 0-9/{len(DATA)}", "image/png", DATA[:10]),
        (f"bytes 300000-400000/{len(DATA)}", "image/png", DATA[300_000:400_001]),
        (f"bytes {len(DATA) - 1}-{len(DATA) - 1}/{len(DATA)}", "image/png", DATA[-1:]),
    ]


async def test_head_tells_the_same_without_the_bytes(client: httpx.AsyncClient) -> None:
    for path, headers in (("/file", {}), ("/file", {"Range": "bytes=1-2"}), ("/json", {})):
        whole, head = await client.get(path), await client.head(path, headers=headers)  # which ignores the range
        assert (head.status_code, head.headers, head.content) == (whole.status_code, whole.headers, b"")


@pytest.mark.parametrize("wanted", [{}, {"Range": "bytes=5-"}, {"Range": "bytes=0-1,5-6"}])
@pytest.mark.parametrize("path", ["/file", "/json"])
async def test_a_file_that_is_gone_is_unknown(storage: Storage, path: str, wanted: dict[str, str]) -> None:
    download = await download_of(storage)
    await removed(download)
    async with client_of(download) as client:
        answer = await client.get(path, headers=wanted)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_result")


BLOCKS = (memory.BLOCK_BYTES, objects.BLOCK_BYTES)


@pytest.mark.parametrize(
    "size", [0, 1, 2, 3, *(block + more for block in BLOCKS for more in (-1, 0, 1, 2 * block + 2))]
)
async def test_json_has_the_file_and_the_length_that_is_told(storage: Storage, size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    async with client_of(await download_of(storage, data)) as client:
        answer = await client.get("/json")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["vary"] == "Accept"
    body = json.loads(answer.content)
    assert body["id"] == 'a"b'
    assert base64.b64decode(body["data"], validate=True) == data


@pytest.mark.parametrize("path", ["/file", "/json"])
async def test_a_client_that_goes_away_leaves_no_file_open(tmp_path: Path, path: str) -> None:
    """Plays a client, at the level of ASGI, that reads only the first block and then disconnects."""
    app = app_of(await download_of(FileStorage(tmp_path / "data"), b"data" * 500_000))
    hung_up = asyncio.Event()
    sent: list[Message] = []

    async def receive() -> Message:
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message.get("body"):
            assert open_files(tmp_path)
            hung_up.set()
            await asyncio.Event().wait()

    scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    await app({**scope, "asgi": {"spec_version": "2.3"}}, receive, send)
    assert len(sent) == 2
    assert not open_files(tmp_path)


def open_files(folder: Path) -> list[str]:
    return [file.path for file in psutil.Process().open_files() if file.path.startswith(str(folder))]
