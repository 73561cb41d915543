"""The only module that knows how to connect to Redis, and how to translate its errors."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self, TypeVar, cast
from urllib.parse import parse_qs, unquote, urlsplit

from arq.connections import RedisSettings
from redis import exceptions
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from quickthumb.queue.errors import QueueUnavailable

Client = TypeVar("Client", bound=Redis)

# Errors that pass by themselves: a restart, a cut connection, a server that is still reading its append-only file.
PASSING: list[type[Exception]] = [
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.BusyLoadingError,
    OSError,
]
CONNECT_SECONDS = 2.0
FOREVER = -1
LAST_ATTEMPTS = 3


def settings_of(url: str) -> RedisSettings:
    """arq's settings for a URL. Unlike arq's own `from_dsn`, this decodes the password and checks TLS host names."""
    parts = urlsplit(url)
    database = parse_qs(parts.query).get("db", [parts.path.lstrip("/") if parts.scheme != "unix" else "0"])[0]
    return RedisSettings(
        host=parts.hostname or "localhost",
        port=parts.port or 6379,
        unix_socket_path=unquote(parts.path) if parts.scheme == "unix" else None,
        database=int(database or 0),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        ssl=parts.scheme == "rediss",
        ssl_check_hostname=True,
        conn_timeout=int(CONNECT_SECONDS),
        retry=Patience(attempts=5),
        retry_on_error=PASSING,
    )


class Patience(Retry):
    """How often and how soon a command is retried when Redis is unreachable: `attempts` times, with exponential backoff
    limited to 1 s. Clients that can wait use `FOREVER`.

    All connections of a client share one Patience, so that `end` works for all of them.
    """

    def __init__(self, attempts: int) -> None:
        super().__init__(ExponentialBackoff(cap=1.0, base=0.02), attempts)

    def __deepcopy__(self, memo: object) -> Self:
        return self

    @property
    def ended(self) -> bool:
        return self._retries != FOREVER

    def end(self) -> None:
        """From now on, commands give up after LAST_ATTEMPTS retries."""
        self._retries = LAST_ATTEMPTS


def patience_of(connections: ConnectionPool) -> Patience:
    """The Patience that all connections of a client share, if `connect` made the client."""
    return cast("Patience", connections.connection_kwargs["retry"])


def connect(
    url: str, client: Callable[..., Client], *, attempts: int, answer_seconds: float | None, **options: Any
) -> Client:
    """A client for `url`. It connects on first use, and reconnects whenever it must.

    A command is retried up to `attempts` times when the connection fails. Redis must answer it within `answer_seconds`
    (None: no limit, for commands that block in Redis).
    """
    settings = settings_of(url)
    tls = {"ssl": True, "ssl_check_hostname": True} if settings.ssl else {}
    return client(
        host=settings.host,
        port=settings.port,
        unix_socket_path=settings.unix_socket_path,
        db=settings.database,
        username=settings.username,
        password=settings.password,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=answer_seconds,
        retry=Patience(attempts),
        retry_on_error=PASSING,
        health_check_interval=0,
        **tls,
        **options,
    )


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Turns every error from Redis or from the connection to it into QueueUnavailable."""
    try:
        yield
    except (exceptions.RedisError, OSError) as error:
        raise QueueUnavailable("The queue cannot be reached at the moment; try again shortly.") from error
