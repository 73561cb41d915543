"""A file inside of JSON, in base64: written as it is read, so that a large one takes no memory."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiofiles
from starlette.responses import Response, StreamingResponse

from quickthumb.service.errors import UnknownResult

# A multiple of three: what is put together from such blocks is what the whole would be.
BLOCK_BYTES = 3 * 64 * 1024


async def base64_answer(path: Path, fields: Mapping[str, str], key: str, headers: Mapping[str, str]) -> Response:
    """A JSON object of `fields` and, under `key`, the file. Raises UnknownResult when it is gone."""
    try:
        size = (await asyncio.to_thread(os.stat, path)).st_size
    except FileNotFoundError:
        raise UnknownResult("The file is no longer kept.") from None
    before = f'{json.dumps(dict(fields))[:-1]}, {json.dumps(key)}: "'.encode()
    after = b'"}'
    length = len(before) + 4 * ((size + 2) // 3) + len(after)
    headers = {**headers, "Content-Length": str(length)}
    return StreamingResponse(_written(path, before, after), headers=headers, media_type="application/json")


async def _written(path: Path, before: bytes, after: bytes) -> AsyncIterator[bytes]:
    yield before
    async with aiofiles.open(path, "rb") as file:
        while block := await file.read(BLOCK_BYTES):
            yield base64.b64encode(block)
    yield after
