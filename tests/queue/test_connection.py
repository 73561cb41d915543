"""Connecting to Redis by URL, and translating its errors to QueueUnavailable."""

import asyncio
import signal
import ssl
from pathlib import Path

import pytest
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.connection import SSLConnection

from quickthumb.queue.connection import ask, connect, settings_of, translated
from quickthumb.queue.errors import QueueUnavailable
from tests.redis_server import RedisServer
from tests.waiting import wait_until


def test_a_url_without_anything() -> None:
    settings = settings_of("redis://")
    assert (settings.host, settings.port, settings.database) == ("localhost", 6379, 0)
    assert (settings.username, settings.password, settings.ssl) == (None, None, False)


def test_name_and_password_are_decoded() -> None:
    settings = settings_of("redis://us%40er:p%2Fa%3As%23s@redis.example:6380/3")
    assert (settings.username, settings.password) == ("us@er", "p/a:s#s")
    assert (settings.host, settings.port, settings.database) == ("redis.example", 6380, 3)


def test_the_database_may_stand_in_the_query() -> None:
    assert settings_of("redis://redis.example?db=4").database == 4
    assert settings_of("unix:///run/redis.sock?db=5").database == 5


def test_a_unix_socket() -> None:
    settings = settings_of("unix:///run/my%20redis/redis.sock")
    assert (settings.unix_socket_path, settings.database) == ("/run/my redis/redis.sock", 0)


def test_tls_checks_the_certificate_and_the_hosts_name() -> None:
    assert settings_of("rediss://redis.example").ssl_check_hostname
    client = connect("rediss://redis.example", Redis, attempts=0, answer_seconds=1.0)
    connection = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    assert isinstance(connection, SSLConnection)
    assert connection.check_hostname
    assert connection.cert_reqs == ssl.CERT_REQUIRED


async def test_a_unix_socket_with_a_database_is_that_database(redis_url: str) -> None:
    async with connect(f"{redis_url}?db=7", Redis, attempts=0, answer_seconds=1.0) as seven:
        client = await seven.client_info()
        assert "U" in client["flags"]  # Redis' letter for a client on a unix socket
        assert client["db"] == 7
        await seven.set("which", "seven", ex=60)
        async with connect(redis_url, Redis, attempts=0, answer_seconds=1.0) as zero:
            assert await zero.get("which") is None
        assert await seven.get("which") == b"seven"
        await seven.flushdb()


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "unix:///nowhere/redis.sock", "redis://no.such.host.invalid"])
async def test_where_there_is_no_redis_the_queue_is_unavailable(url: str) -> None:
    async with connect(url, Redis, attempts=1, answer_seconds=0.5) as client:
        with pytest.raises(QueueUnavailable) as caught:
            async with translated():
                await client.ping()
    assert url not in caught.value.detail
    assert not caught.value.permanent


async def test_an_error_that_redis_answers_is_told_the_same_way(client: Redis) -> None:
    await client.set("a string", "x", ex=60)
    with pytest.raises(QueueUnavailable):
        async with translated():
            await client.lpush("a string", "y")  # type: ignore[misc]


async def test_a_connection_that_was_cut_is_made_again(client: Redis, redis: Redis) -> None:
    await client.ping()
    await redis.client_kill_filter(_type="normal", skipme=True)
    assert await client.ping()


async def test_one_who_can_wait_outlasts_a_restart(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server, connect(server.url, Redis, attempts=-1, answer_seconds=None) as client:
        await client.ping()
        await server.kill()
        waiting = asyncio.ensure_future(client.ping())
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        await server.start()
        assert await waiting


LARGE = b"\r\n" * 200_000


@pytest.mark.parametrize(
    "word",
    ["", "naïve", b"\x00\xff\r\n", 7, 1.5, LARGE],
    ids=["nothing", "text", "bytes", "number", "fraction", "large"],
)
async def test_what_is_asked_arrives_as_it_was_given(client: Redis, word: str | bytes | float) -> None:
    written = word if isinstance(word, bytes) else str(word).encode()
    assert await ask(client, "ECHO", word) == written


async def test_an_answer_that_does_not_come_in_time_ends_the_question(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server, connect(server.url, Redis, attempts=0, answer_seconds=0.3) as client:
        for _ in range(2):
            with pytest.raises(exceptions.TimeoutError, match="Timeout reading from"):
                await ask(client, "BLPOP", "late", 0)
            assert await ask(client, "ECHO", "mine") == b"mine"
        assert server.process
        server.process.send_signal(signal.SIGSTOP)
        with pytest.raises(exceptions.TimeoutError):
            await ask(client, "ECHO", LARGE)
        server.process.send_signal(signal.SIGCONT)
        assert await ask(client, "ECHO", "mine") == b"mine"


async def is_asked(redis: Redis) -> bool:
    """Whether a client waits for an answer of this Redis."""
    return bool((await redis.info("clients"))["blocked_clients"])


async def test_nobody_gets_the_answer_to_a_question_that_was_cancelled(client: Redis, redis: Redis) -> None:
    asking = asyncio.create_task(ask(client, "BLPOP", "late", 0))
    await wait_until(lambda: is_asked(redis))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await ask(client, "RPUSH", "late", "answer")
    assert await ask(client, "ECHO", "mine") == b"mine"
    await redis.delete("late")


async def test_a_question_is_asked_again_if_the_connection_breaks_before_the_answer(
    client: Redis, redis: Redis
) -> None:
    asking = asyncio.create_task(ask(client, "BLPOP", "late", 0))
    await wait_until(lambda: is_asked(redis))
    own = (await redis.client_info())["id"]
    for number in [each["id"] for each in await redis.client_list() if int(each["id"]) != own]:
        await redis.client_kill_filter(_id=number)
    await wait_until(lambda: is_asked(redis))
    await ask(client, "RPUSH", "late", "answer")
    assert await asking == [b"late", b"answer"]
