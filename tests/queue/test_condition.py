"""What a Redis is told to be: usable, away for a while, or never usable; and what it may lose."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from quickthumb.queue.condition import looked_after, mistake_at_start, prove, warnings_of
from quickthumb.queue.connection import connect, outage_of
from quickthumb.queue.keys import Keys
from quickthumb.queue.outage import RedisMistake
from tests.chaos.fleet import free_port
from tests.redis_plain import (
    NOWHERE,
    PASSWORD,
    QUOTED_PASSWORD,
    Certificates,
    PlainRedis,
    certificates,
    plain_redis,
    tls_server,
)
from tests.waiting import wait_until

MODULE = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PlainRedis]:
    """A Redis with a password, and a user who may only read."""
    async with plain_redis(tmp_path_factory.mktemp("guarded")) as redis:
        reading = ["+@read", "+@connection"]
        await redis.client.acl_setuser("reader", enabled=True, passwords="+reader", categories=reading, keys=["*"])
        await redis.client.config_set("requirepass", PASSWORD)
        yield redis


async def mistake(url: str) -> str | None:
    async with connect(url, Redis, attempts=1, answer_seconds=3.0) as client:
        return await mistake_at_start(client, Keys())


@MODULE
@pytest.mark.parametrize(
    ("user", "path", "says"),
    [
        ("", "", "refuses the user name or the password: Authentication required."),
        (":wrong", "", "refuses the user name or the password: invalid username-password pair"),
        ("reader:reader", "", "does not give its user a right that QuickThumb needs: "),
        (f":{QUOTED_PASSWORD}", "/99", "has no such database: DB index is out of range."),
    ],
    ids=["no password", "a wrong password", "a right is missing", "no such database"],
)
async def test_what_never_passes_is_a_mistake(guarded: PlainRedis, user: str, path: str, says: str) -> None:
    sentence = await mistake(guarded.url(user, path))
    assert sentence is not None
    assert sentence.startswith(f"Redis at 127.0.0.1:{guarded.port}/{path.strip('/') or 0} {says}")
    assert "wrong@" not in sentence


@MODULE
async def test_the_password_in_the_url_is_decoded(guarded: PlainRedis) -> None:
    assert await mistake(guarded.url(f":{QUOTED_PASSWORD}", "/3")) is None
    assert await mistake(guarded.url("", f"?password={QUOTED_PASSWORD}&db=3&username=default")) is None


async def test_a_cluster_is_a_mistake(tmp_path: Path) -> None:
    # A cluster takes a second port, which is higher by 10,000.
    port = next(port for port in iter(free_port, 0) if port < 55_000)
    async with plain_redis(tmp_path, "--cluster-enabled", "yes", port=port) as redis:
        await redis.client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)  # type: ignore[no-untyped-call]

        async def is_served() -> bool:
            return b"cluster_state:ok" in await redis.client.execute_command("CLUSTER", "INFO")  # type: ignore[no-untyped-call]

        await wait_until(is_served)
        assert "is in cluster mode, which QuickThumb cannot use: " in (await mistake(redis.url()) or "")


@pytest.mark.parametrize(
    ("scheme", "says"),
    [("redis", "is not a Redis: "), ("rediss", "does not speak TLS: use redis:// instead of rediss://.")],
)
async def test_something_that_is_no_redis_is_a_mistake(scheme: str, says: str) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    async with server:
        assert f"Redis at 127.0.0.1:{port}/0 {says}" in (await mistake(f"{scheme}://127.0.0.1:{port}") or "")


async def test_an_outage_is_told_once_and_so_is_its_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    url, place = f"redis://:secret@127.0.0.1:{port}/2", f"127.0.0.1:{port}/2"
    options = ("--requirepass", "secret")
    async with connect(url, Redis, attempts=1, answer_seconds=1.0) as client, looked_after(client, Keys()):
        for _ in range(3):
            assert not await prove(client, Keys())
        async with plain_redis(tmp_path, *options, port=port):
            await wait_until(lambda: not outage_of(client).going_on.is_set())
            assert await prove(client, Keys())
    told = [record.getMessage() for record in caplog.records if record.name == "quickthumb.redis"]
    assert told[0] == f"Redis at {place} cannot be reached: Connection refused; waiting for it"
    assert told[1].startswith(f"Redis at {place} is back after ")
    assert len(told) == 2
    assert "secret" not in caplog.text


async def test_a_password_that_changes_while_it_runs_is_waited_for(tmp_path: Path) -> None:
    async with plain_redis(tmp_path) as redis:
        async with connect(redis.url(), Redis, attempts=1, answer_seconds=1.0) as client:
            assert await prove(client, Keys())
            await redis.client.config_set("requirepass", "new")
            await redis.client.client_kill_filter(_type="normal", skipme=True)
            assert await prove(client, Keys())
        with pytest.raises(RedisMistake):
            async with connect(redis.url(), Redis, attempts=1, answer_seconds=1.0) as client:
                await prove(client, Keys())


async def test_it_warns_of_a_redis_that_may_lose_jobs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def warnings(user: str = "") -> list[str]:
        async with connect(redis.url(user), Redis, attempts=0, answer_seconds=3.0) as client:
            return await warnings_of(client)

    async with plain_redis(tmp_path, "--maxmemory-policy", "allkeys-lru") as redis:
        evicts, forgets = await warnings()
        assert "maxmemory-policy is allkeys-lru" in evicts
        assert "keeps nothing on disk" in forgets
        await redis.client.config_set("maxmemory-policy", "noeviction")
        await redis.client.config_set("appendonly", "yes")
        assert await warnings() == []
        # Many hosters do not let their customers read this setting. Then it is left alone.
        await redis.client.config_set("appendonly", "no")
        await redis.client.acl_setuser("guest", enabled=True, nopass=True, commands=["+@all", "-config"], keys=["*"])
        assert await warnings("guest:any") == []
    assert not caplog.text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secured() -> AsyncIterator[tuple[int, Certificates]]:
    """The port of a Redis that speaks TLS, with a certificate of a private CA."""
    server = tls_server()
    with tempfile.TemporaryDirectory() as folder:
        files, port = certificates(Path(folder)), free_port()
        given = {"--tls-cert-file": files.certificate, "--tls-key-file": files.key, "--tls-ca-cert-file": files.ca}
        words = [word for name, path in given.items() for word in (name, str(path))]
        command = [server, "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", "--save", "", *words]
        process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=NOWHERE)
        async with connect(f"rediss://localhost:{port}?ssl_cert_reqs=none", Redis, attempts=50, answer_seconds=9) as it:
            await it.ping()
        yield port, files
        process.kill()
        await process.wait()


@MODULE
@pytest.mark.parametrize(
    ("host", "options", "says"),
    [
        ("localhost", "?ssl_ca_certs={ca}", None),
        ("localhost", "?ssl_ca_certs={ca}&ssl_min_version=TLSv1.3&ssl_cert_reqs=required", None),
        ("localhost", "?ssl_cert_reqs=none", None),
        ("127.0.0.1", "?ssl_ca_certs={ca}&ssl_check_hostname=false", None),
        ("localhost", "", "has a certificate that is not trusted (self-signed certificate in certificate chain); "),
        ("127.0.0.1", "?ssl_ca_certs={ca}", "IP address mismatch"),
    ],
)
async def test_tls_with_a_private_ca(
    secured: tuple[int, Certificates], host: str, options: str, says: str | None
) -> None:
    port, files = secured
    sentence = await mistake(f"rediss://{host}:{port}/0{options.format(ca=files.ca)}")
    assert (says in (sentence or "")) if says else sentence is None
