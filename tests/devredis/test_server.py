import asyncio
import os
import stat
from pathlib import Path

import psutil
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from quickthumb.devredis import RedisCannotStart
from quickthumb.devredis.server import make_private
from tests.redis_server import RedisServer


async def test_it_answers_on_a_private_socket_and_nowhere_else(server: RedisServer) -> None:
    async with Redis.from_url(server.url) as client:
        assert await client.ping()
    assert server.process is not None
    assert psutil.Process(server.process.pid).net_connections(kind="inet") == []
    assert stat.S_IMODE(server.embedded.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.embedded.socket.parent.stat().st_mode) == 0o700


ATTACKS = [
    "CONFIG SET dir /tmp",
    "ACL SETUSER default on",
    "MODULE LOAD /tmp/evil.so",
    "DEBUG SLEEP 0",
    "REPLICAOF 127.0.0.1 1",
    "MIGRATE 127.0.0.1 1 key 0 1",
    "RESTORE key 0 value",
    "MONITOR",
]


@pytest.mark.parametrize("attack", ATTACKS)
async def test_no_client_may_do_what_only_an_attack_needs(tmp_path: Path, attack: str) -> None:
    async with RedisServer(tmp_path, restricted=True) as server, Redis.from_url(server.url) as client:
        assert await client.set("colour", "green")
        with pytest.raises(ResponseError, match=r"no permissions|not allowed"):
            await client.execute_command(*attack.split())
        assert await server.embedded.is_ready()


async def test_a_restricted_server_is_shut_down_by_the_next_one(tmp_path: Path) -> None:
    async with RedisServer(tmp_path, restricted=True) as server:
        old_server = server.process
        await server.start()
        assert old_server is not None
        assert await old_server.wait() == 0


async def test_it_refuses_to_forget(server: RedisServer) -> None:
    expected = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec", "save": ""}
    async with Redis.from_url(server.url) as client:
        for name, value in expected.items():
            assert await client.config_get(name) == {name: value}


async def test_what_was_written_survives_a_stop_and_a_crash(server: RedisServer) -> None:
    async with Redis.from_url(server.url) as client:
        await client.set("colour", "green")
    await server.stop()
    await server.start()
    async with Redis.from_url(server.url) as client:
        assert await client.get("colour") == b"green"
        await client.set("colour", "blue")
    await server.kill()
    await server.start()
    async with Redis.from_url(server.url) as client:
        assert await client.get("colour") == b"blue"


async def test_an_old_server_is_shut_down_before_another_starts(server: RedisServer) -> None:
    old_server = server.process
    assert old_server is not None
    async with Redis.from_url(server.url) as client:
        await client.set("colour", "green")
    await server.start()
    assert await old_server.wait() == 0
    async with Redis.from_url(server.url) as client:
        assert await client.get("colour") == b"green"


async def test_a_socket_left_by_a_crash_is_no_obstacle(server: RedisServer) -> None:
    await server.kill()
    assert server.embedded.socket.exists()
    assert not await server.embedded.is_ready()
    await server.start()
    assert await server.embedded.is_ready()


async def test_a_data_folder_with_a_long_or_an_odd_path(tmp_path: Path) -> None:
    for name in ("with space and 'quotes\" é", "C#", "100%20?", "/".join(["long" * 10] * 4)):
        async with RedisServer(tmp_path / name) as server, Redis.from_url(server.url) as client:
            assert await client.ping()
            assert list((tmp_path / name / "redis").glob("appendonly*"))  # a file, or from Redis 7 on a folder


async def test_until_the_append_only_file_is_read_it_is_not_ready(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server:

        async def loading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(1024):
                writer.write(b"-LOADING Redis is loading the dataset in memory\r\n")
            writer.close()

        await server.stop()
        async with await asyncio.start_unix_server(loading, server.embedded.socket):
            assert not await server.embedded.is_ready()


def test_a_private_folder_is_made_with_its_parents_and_closed_to_others(tmp_path: Path) -> None:
    make_private(tmp_path / "data" / "redis")
    assert (tmp_path / "data" / "redis").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir(mode=0o755)
    make_private(tmp_path / "redis")
    assert (tmp_path / "redis").stat().st_mode & 0o777 == 0o700


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "redis").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RedisCannotStart, match="must be a folder owned by the user"):
        make_private(tmp_path / "redis")


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "redis").mkdir()
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    with pytest.raises(RedisCannotStart, match="must be a folder owned by the user"):
        make_private(tmp_path / "redis")


def test_a_place_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RedisCannotStart, match="Redis cannot use the folder "):
        make_private(tmp_path / "file" / "redis")
