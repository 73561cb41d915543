"""A Redis as somebody else runs it: on a TCP port, with options, users and certificates of its own."""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from quickthumb.devredis import find_server
from tests.chaos.fleet import free_port
from tests.waiting import wait_until

NOWHERE = subprocess.DEVNULL
PASSWORD = "p/a:s#s"
QUOTED_PASSWORD = "p%2Fa%3As%23s"


@dataclass(frozen=True)
class PlainRedis:
    """Its port, and a client that may do everything."""

    port: int
    client: Redis

    def url(self, user: str = "", path: str = "") -> str:
        """Its URL with a user and password, a database or options."""
        return f"redis://{user}{'@' if user else ''}127.0.0.1:{self.port}{path}"


@contextlib.asynccontextmanager
async def plain_redis(folder: Path, *options: str, port: int | None = None) -> AsyncIterator[PlainRedis]:
    """A Redis with these options on the command line. It keeps nothing on disk unless they say so."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    words = [str(find_server().path), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    socket = folder / "own.sock"
    process = await asyncio.create_subprocess_exec(*words, "--unixsocket", str(socket), *options, stdout=NOWHERE)
    async with Redis(unix_socket_path=str(socket)) as client:

        async def is_ready() -> bool:
            try:
                return bool(await client.execute_command("CLIENT", "ID"))  # type: ignore[no-untyped-call]
            except (RedisError, OSError) as error:
                return "Authentication" in str(error)

        try:
            await wait_until(is_ready)
            yield PlainRedis(port, client)
        finally:
            process.kill()
            await process.wait()


@dataclass(frozen=True)
class Certificates:
    """Files: a private CA, and a server's key and certificate that it signed, for `localhost`."""

    ca: Path
    key: Path
    certificate: Path


def tls_server() -> str:
    """A server on PATH that can speak TLS, which the one in a wheel cannot. Skips the test where there is none."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None and b"libssl" in subprocess.run(["ldd", found], capture_output=True, check=False).stdout:
            return found
    pytest.skip("needs a Redis server with TLS on PATH (apt install redis-server)")


def certificates(folder: Path) -> Certificates:
    """Made with `openssl`; skips the test where there is none."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl on PATH")
    folder.mkdir(parents=True, exist_ok=True)

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Private CA", "-days", "2")
    openssl("req", *new_key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=redis")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    openssl(
        *("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
        *("-extfile", "names", "-out", "server.pem", "-days", "2"),
    )
    return Certificates(folder / "ca.pem", folder / "server.key", folder / "server.pem")
