"""The only module that knows how to connect to Redis, and how to translate its errors. The connections: `sockets`."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from arq.connections import RedisSettings
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.connection import HiredisRespSerializer
from redis.event import EventDispatcherInterface
from redis.typing import EncodableT

from quickthumb.config.redis_url import connection_options, place_of
from quickthumb.queue.errors import QueueUnavailable
from quickthumb.queue.outage import Outage, is_refusal
from quickthumb.queue.sockets import CONNECTIONS, Greeting

Answer = TypeVar("Answer")
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
# Once a worker is to end, Redis gets this long for each command; the second is for an outage that is known.
LAST_SECONDS = 1.5
LAST_SECONDS_IN_OUTAGE = 0.3


def settings_of(url: str) -> RedisSettings:
    """arq's settings for a URL, which only `arq --check` uses. Unlike arq's own `from_dsn`, this drops no option that
    arq knows, decodes the password and checks TLS host names."""
    options = connection_options(url)
    tls = {name: value for name, value in options.items() if name in ARQ_TLS_OPTIONS}
    return RedisSettings(
        host=options.get("host", "localhost"),
        port=options.get("port", 6379),
        unix_socket_path=options.get("path"),
        database=options.get("db", 0),
        username=options.get("username"),
        password=options.get("password"),
        ssl=options.get("connection_class") is SSLConnection,
        conn_timeout=int(CONNECT_SECONDS),
        conn_retries=1,
        retry=Patience(Outage(place_of(options)), attempts=3),
        retry_on_error=PASSING,
        **tls,
    )


ARQ_TLS_OPTIONS = (
    "ssl_keyfile",
    "ssl_certfile",
    "ssl_cert_reqs",
    "ssl_ca_certs",
    "ssl_ca_data",
    "ssl_check_hostname",
)


class Patience(Retry):
    """How often and how soon a command is retried when Redis is unreachable: `attempts` times, with exponential backoff
    limited to 1 s. Clients that can wait use `FOREVER`. Each attempt has `attempt_seconds` (None: no limit).

    All connections of a client share one Patience, so that `end` works for all of them. It tells the client's `outage`
    what becomes of every attempt.
    """

    def __init__(self, outage: Outage, attempts: int, attempt_seconds: float | None = None) -> None:
        super().__init__(ExponentialBackoff(cap=1.0, base=0.02), attempts)
        self.outage = outage
        self._attempt_seconds = attempt_seconds
        self._limits: set[asyncio.Timeout] = set()
        self._ending = asyncio.Event()

    def __deepcopy__(self, memo: object) -> Self:
        return self

    @property
    def ended(self) -> bool:
        return self._retries != FOREVER

    def end(self) -> None:
        """From now on, commands give up after LAST_ATTEMPTS retries, and at once during an outage."""
        self._retries = LAST_ATTEMPTS
        self._ending.set()
        latest = self._latest()
        for limit in self._limits:
            limit.reschedule(latest)

    async def pause(self, seconds: float) -> None:
        """Waits before the next attempt, but no longer than until `end`."""
        if self._ending.is_set():
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)

    async def call_with_retry(
        self, do: Callable[[], Awaitable[Answer]], fail: Callable[[exceptions.RedisError], Any]
    ) -> Answer:
        """What redis-py calls to send a command, and to connect: `do`, and `fail` after each attempt that failed."""
        failures, began = 0, 0.0
        while True:
            attempted = time.monotonic()
            try:
                answer = await (do() if self._attempt_seconds is None else self._in_time(do))
            except self._supported_errors as error:
                failures += 1
                began = began or attempted
                self._note(error, began, attempted, failures)
                await fail(error)
                if self._is_last(failures):
                    self.outage.unreachable(error, began, attempted)
                    raise
                await self.pause(self._backoff.compute(failures))
            except exceptions.ResponseError as error:
                if is_refusal(error):
                    self.outage.refused(error)
                raise
            else:
                if self.outage.is_worth_telling:
                    self.outage.answered()
                return answer

    def _note(self, error: Exception, began: float, attempted: float, failures: int) -> None:
        """Notes that an attempt failed. Raises RedisMistake if no further attempt can succeed.

        A first failure is no outage unless it took long: it may be an old connection that was cut, and the next attempt
        connects.
        """
        mistake = self.outage.mistake(error)
        if mistake is not None:
            raise mistake from error
        if failures > 1 or isinstance(error, TimeoutError | exceptions.TimeoutError):
            self.outage.unreachable(error, began, attempted)

    def _is_last(self, failures: int) -> bool:
        if self._ending.is_set() and self.outage.going_on.is_set():
            return True
        return 0 <= self._retries < failures

    async def _in_time(self, do: Callable[[], Awaitable[Answer]]) -> Answer:
        async with asyncio.timeout_at(self._latest()) as limit:
            self._limits.add(limit)
            try:
                return await do()
            finally:
                self._limits.discard(limit)

    def _latest(self) -> float:
        """The moment of the event loop's clock at which an attempt that begins now has to be over."""
        seconds = self._attempt_seconds
        if self._ending.is_set():
            seconds = LAST_SECONDS_IN_OUTAGE if self.outage.going_on.is_set() else LAST_SECONDS
        return asyncio.get_running_loop().time() + (seconds or LAST_SECONDS)


def patience_of(connections: ConnectionPool) -> Patience:
    """The Patience that all connections of a client share, if `connect` made the client."""
    return cast("Patience", connections.connection_kwargs["retry"])


def outage_of(client: Redis) -> Outage:
    """The outages of a client's Redis, if `connect` made the client."""
    return patience_of(client.connection_pool).outage


class _NoListeners(EventDispatcherInterface):
    """Tells nobody that a command is over, of which redis-py tells those who renew logins. Here, no login expires."""

    def dispatch(self, event: object) -> None:
        pass

    async def dispatch_async(self, event: object) -> None:
        pass


def _greeted_already(_: AbstractConnection) -> None:
    """Replaces the greeting that redis-py sends after it has connected."""


def connect(
    url: str,
    client: Callable[..., Client],
    *,
    attempts: int,
    answer_seconds: float | None,
    attempt_seconds: float | None = None,
    **options: Any,
) -> Client:
    """A client for `url`. It connects on first use, and reconnects whenever it must.

    A command is retried up to `attempts` times when the connection fails. Redis must answer it within `answer_seconds`
    (None: no limit), which `socket_timeout` in the URL replaces. An attempt may take `attempt_seconds`, also if it
    waits for several answers or for a new connection.
    """
    asked = connection_options(url)
    limit, kind = asked.pop("max_connections", None), asked.pop("connection_class", Connection)
    given = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": answer_seconds,
        **asked,
        "connection_class": CONNECTIONS[kind],
        "redis_connect_func": _greeted_already,
        "event_dispatcher": _NoListeners(),
        "retry": Patience(Outage(place_of(asked)), attempts, attempt_seconds),
        "retry_on_error": PASSING,
    }
    pool = BlockingConnectionPool(max_connections=limit, **given) if limit else ConnectionPool(**given)
    made = client(connection_pool=pool, **options)
    made.auto_close_connection_pool = True
    return made


async def answers(url: str) -> bool:
    """Whether the Redis at `url` answers now."""
    async with connect(url, Redis, attempts=0, answer_seconds=CONNECT_SECONDS) as client:
        outage_of(client).is_silent = True
        try:
            return bool(await client.ping())
        except (exceptions.RedisError, OSError):
            return False


async def ask(client: Redis, *words: EncodableT) -> Any:
    """Sends one command to the Redis of a client that `connect` made, and returns the answer as it came.

    Retries it as the client's own methods do. These cost several times the CPU, since redis-py makes sure before each
    command that its connection has nothing to read; `ask` leaves that to the retry.
    """
    connections = client.connection_pool
    connection = await _free_connection(connections)
    try:
        if not connection.is_open:
            await connection.open_again()
        command = _pack(*words)
        return await connection.retry.call_with_retry(
            lambda: connection.exchange(command), lambda _: connection.disconnect()
        )
    finally:
        await connections.release(connection)


# In C, by hiredis, which arq demands. What redis-py's asyncio connections use is in Python, and six times as slow.
_pack: Callable[..., list[bytes]] = HiredisRespSerializer().pack


async def _free_connection(connections: ConnectionPool) -> Greeting:
    if isinstance(connections, BlockingConnectionPool):
        return cast("Greeting", await connections.get_connection())
    return cast("Greeting", connections.get_available_connection())  # type: ignore[no-untyped-call]


class translated:  # noqa: N801 - to be read as a verb
    """Turns every error from Redis or from the connection to it into QueueUnavailable: `async with translated(): …`."""

    __slots__ = ()

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, exceptions.RedisError | OSError):
            raise QueueUnavailable("The queue cannot be reached at the moment; try again shortly.") from error
