"""The limits on open connections, and what becomes of clients that do not read their answers."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from pathlib import Path

import httpx
import psutil
import pytest
import pytest_asyncio
from PIL import Image

from quickthumb.web.descriptors import FILES_PER_CONNECTION, SPARE_FILES
from tests.conftest import http_client
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web.sockets import connection
from tests.web_process import WebProcess, running_web

MOST, MOST_PER_ADDRESS = 8, 5
SEND_IDLE_SECONDS = 2.0
PROXY = "127.0.0.9"
OTHER, THIRD = "127.0.0.2", "127.0.0.3"
# More than the system keeps for a client that reads nothing.
SIDE = 1800


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def narrow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebProcess]:
    """A web process that has few connections."""
    folder = tmp_path_factory.mktemp("few")
    async with (
        RedisServer(folder) as redis,
        running_web(
            folder,
            redis.url,
            max_connections=MOST,
            max_connections_per_address=MOST_PER_ADDRESS,
            trusted_proxies=PROXY,
        ) as web,
    ):
        yield web


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def impatient(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebProcess]:
    """A web process that soon gives up clients that do not read."""
    folder = tmp_path_factory.mktemp("impatient")
    async with (
        RedisServer(folder) as redis,
        running_web(folder, redis.url, send_idle_seconds=SEND_IDLE_SECONDS) as web,
    ):
        yield web


def noise() -> bytes:
    """A picture of about 10 MB."""
    file = BytesIO()
    Image.frombytes("RGB", (SIDE, SIDE), os.urandom(SIDE * SIDE * 3)).save(file, "PNG", compress_level=0)
    return file.getvalue()


def held(web: WebProcess) -> int:
    """How many connections and files of uploads the web process has open."""
    connections = [each for each in web.process.net_connections() if each.laddr.port == web.port and each.raddr]
    return len(connections) + sum(file.path.endswith("source") for file in web.process.open_files())


async def opened(stack: contextlib.AsyncExitStack, web: WebProcess, number: int, address: str | None = None) -> None:
    """Opens so many connections from an address. Each has begun a request, so it is not idle."""
    for _ in range(number):
        busy = await stack.enter_async_context(connection(web.address, address))
        await busy.send(b"GET /healthz HTTP/1.1\r\n")


async def is_served(web: WebProcess, address: str | None = None) -> bool:
    """Whether a new connection from the address is served; if not, it is refused as it should be."""
    async with connection(web.address, address) as asking:
        with contextlib.suppress(ConnectionError):
            await asking.head("GET /healthz", Connection="close")
        answer = await asking.answer()
        if answer.status_code == 200:
            return True
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_connections")
        assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
        assert answer.headers["content-type"] == "application/problem+json"
        assert await asking.is_closed()
        return False


async def test_an_address_has_only_so_many_connections(narrow: WebProcess) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await opened(stack, narrow, MOST_PER_ADDRESS)
        assert not await is_served(narrow)
        assert await is_served(narrow, OTHER)
    await wait_until(lambda: is_served(narrow))


async def test_a_trusted_proxy_has_as_many_as_there_are(narrow: WebProcess) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await opened(stack, narrow, MOST - 1, PROXY)
        assert await is_served(narrow, PROXY)


async def test_all_together_have_only_so_many_connections(narrow: WebProcess) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await opened(stack, narrow, MOST_PER_ADDRESS)
        await opened(stack, narrow, MOST - MOST_PER_ADDRESS, OTHER)
        assert not await is_served(narrow, THIRD)
    await wait_until(lambda: is_served(narrow, THIRD))
    assert "the server has the most connections" in narrow.log.read_text() or "this address" in narrow.log.read_text()


async def test_a_new_connection_takes_the_place_of_the_one_that_is_idle_longest(narrow: WebProcess) -> None:
    async with contextlib.AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(connection(narrow.address)) for _ in range(2)]
        for resting in idle:
            assert (await (await resting.head("GET /healthz")).answer()).status_code == 200
        await opened(stack, narrow, MOST_PER_ADDRESS - 2)
        assert await is_served(narrow)
        assert await idle[0].is_closed()
        assert (await (await idle[1].head("GET /healthz")).answer()).status_code == 200


async def test_a_crowd_of_refused_connections_leaves_nothing_behind(narrow: WebProcess) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await opened(stack, narrow, MOST_PER_ADDRESS)
        for _ in range(300):
            await stack.enter_async_context(connection(narrow.address))
        await wait_until(lambda: held(narrow) == MOST_PER_ADDRESS)
        assert await is_served(narrow, OTHER)


def limited_to(soft: int, hard: int) -> tuple[str, ...]:
    """The command that starts another one with these limits on open files."""
    return ("prlimit", f"--nofile={soft}:{hard}")


needs_prlimit = pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit")


@needs_prlimit
async def test_connections_leave_files_to_the_process(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as redis, running_web(tmp_path, redis.url, before=limited_to(400, 400)) as web:
        room = (400 - SPARE_FILES) // FILES_PER_CONNECTION
        async with contextlib.AsyncExitStack() as stack:
            await opened(stack, web, room)
            for _ in range(300):
                await stack.enter_async_context(connection(web.address))
            await wait_until(lambda: held(web) == room)  # the others were refused, and are closed
            assert not await is_served(web, OTHER)
        await wait_until(lambda: is_served(web))
        assert f"may open only 400 files, so it serves at most {room} connections" in web.log.read_text()
        assert "Too many open files" not in web.log.read_text()


@needs_prlimit
async def test_the_process_takes_as_many_files_as_it_may(tmp_path: Path) -> None:
    async with running_web(tmp_path, "redis://127.0.0.1:1", before=limited_to(400, 2000)) as web:
        assert web.process.rlimit(psutil.RLIMIT_NOFILE) == (2000, 2000)
    async with running_web(tmp_path, "redis://127.0.0.1:1", before=limited_to(400, 20_000), max_connections=100) as web:
        assert web.process.rlimit(psutil.RLIMIT_NOFILE) == (100 * FILES_PER_CONNECTION + SPARE_FILES, 20_000)


@contextlib.contextmanager
def small_reader(web: WebProcess, path: str) -> Iterator[socket.socket]:
    """A connection that has asked for the path, whose system keeps little for it."""
    with socket.socket() as reading:
        reading.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        reading.setblocking(True)
        reading.connect(("127.0.0.1", web.port))
        reading.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        reading.setblocking(False)
        yield reading


@pytest.fixture
async def original(impatient: WebProcess) -> str:
    """The path of an original that is too large to be sent at once."""
    async with http_client(impatient.address) as client:
        answer = await client.post("/images/", content=noise(), headers={"Content-Type": "image/png"})
        return str(answer.json()["links"]["original"])


async def test_a_client_that_does_not_read_is_cut_off(impatient: WebProcess, original: str) -> None:
    await wait_until(lambda: held(impatient) == 0)
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(small_reader(impatient, original))
        await wait_until(lambda: held(impatient) == 10)
        await wait_until(lambda: held(impatient) == 0, seconds=30)
    assert "whose client took nothing of an answer" in impatient.log.read_text()
    assert "Traceback" not in impatient.log.read_text()


async def test_answers_that_nobody_reads_are_given_up(impatient: WebProcess) -> None:
    await wait_until(lambda: held(impatient) == 0)
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with small_reader(impatient, "/healthz") as reading:
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(SEND_IDLE_SECONDS / 2):
                await asyncio.get_running_loop().sock_sendall(reading, ask * 20_000)
        await wait_until(lambda: held(impatient) == 0, seconds=30)


async def test_a_client_that_reads_slowly_gets_everything(impatient: WebProcess, original: str) -> None:
    loop = asyncio.get_running_loop()
    with small_reader(impatient, original) as reading:
        began, got = loop.time(), 0
        while loop.time() - began < 4 * SEND_IDLE_SECONDS:  # too slowly for the service to send any more meanwhile
            got += len(await loop.sock_recv(reading, 4000))
            await asyncio.sleep(0.05)
        while piece := await loop.sock_recv(reading, 1 << 20):
            got += len(piece)
    async with httpx.AsyncClient(base_url=impatient.address, trust_env=False) as client:
        assert got > int((await client.head(original)).headers["content-length"])
