"""Uploads stream: the web process's memory does not depend on their size. `benchmarks/upload_memory.py` has more."""

import sys
from pathlib import Path

import pytest

from tests.redis_server import RedisServer
from tests.web.large_uploads import MEBIBYTE, WAYS, growth_bytes
from tests.web_process import running_web

MOST_GROWTH_BYTES = 20 * MEBIBYTE
UPLOAD_BYTES = 256 * MEBIBYTE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the highest memory of a process is read from /proc")


@pytest.mark.parametrize("way", WAYS)
async def test_a_large_upload_needs_little_memory(tmp_path: Path, way: str) -> None:
    async with (
        RedisServer(tmp_path) as redis,
        running_web(tmp_path / "web", redis.url, max_upload_bytes=UPLOAD_BYTES) as web,
    ):
        grown = await growth_bytes(web, way, UPLOAD_BYTES)
        assert grown <= MOST_GROWTH_BYTES, f"grew by {grown / MEBIBYTE:.1f} MiB"
        for path in web.kept():
            path.unlink()
