"""The one module that knows how to connect to Redis, and how its errors are told to the rest."""

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

# What passes by itself: a restart, a cut connection, a server still reading its append-only file.
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
    """arq's settings for a URL. Unlike arq's own reading, this decodes the password and checks TLS host names."""
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
    """How often, and how soon, a command is sent again when Redis is away; `FOREVER` for one who can wait.

    All connections of a client share theirs, so that it can be ended for all of them.
    """

    def __init__(self, attempts: int) -> None:
        super().__init__(ExponentialBackoff(cap=1.0, base=0.02), attempts)

    def __deepcopy__(self, memo: object) -> Self:
        return self

    @property
    def ended(self) -> bool:
        return self._retries != FOREVER

    def end(self) -> None:
        """From now on commands give up after a few attempts."""
        self._retries = LAST_ATTEMPTS


def patience_of(connections: ConnectionPool) -> Patience:
    """What all connections of a client that `connect` made share."""
    return cast("Patience", connections.connection_kwargs["retry"])


def connect(
    url: str, client: Callable[..., Client], *, attempts: int, answer_seconds: float | None, **options: Any
) -> Client:
    """A client for `url`; it connects when first used and again whenever it must.

    A command is sent up to `attempts` times more when the connection fails, and is given `answer_seconds` to be
    answered (None: as long as it takes, for one that sleeps in Redis).
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
    """Turns whatever Redis or the way to it raises into QueueUnavailable."""
    try:
        yield
    except (exceptions.RedisError, OSError) as error:
        raise QueueUnavailable("The queue cannot be reached just now; try again shortly.") from error
