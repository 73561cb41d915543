import base64
import json
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quickthumb.http.base64_files import BLOCK_BYTES, base64_answer
from quickthumb.service.errors import UnknownResult


@pytest.mark.parametrize("size", [0, 1, 2, 3, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 2])
async def test_it_is_one_json_object_of_the_length_that_is_told(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes((bytes(range(256)) * (size // 256 + 1))[:size])

    async def show(request: Request) -> Response:
        return await base64_answer(path, {"id": 'a"b'}, "data", {"Vary": "Accept"})

    transport = httpx.ASGITransport(Starlette(routes=[Route("/", show)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["vary"] == "Accept"
    body = json.loads(answer.content)
    assert body["id"] == 'a"b'
    assert base64.b64decode(body["data"], validate=True) == path.read_bytes()


async def test_a_file_that_is_gone_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnknownResult):
        await base64_answer(tmp_path / "file", {}, "data", {})
