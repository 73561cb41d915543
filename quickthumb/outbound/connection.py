"""One exchange with a checked target, by httpcore. It follows no redirects, reads no proxy from the environment, and
keeps no cookies: httpcore has none of these."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache

import httpcore
import httpx

from quickthumb import __version__
from quickthumb.outbound.errors import OutboundError, OutboundRefused, Unreachable
from quickthumb.outbound.guard import Target

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 15.0
# A name may have any number of addresses; all are checked, but only this many are tried.
MOST_ADDRESSES = 4
USER_AGENT = f"QuickThumb/{__version__}"


class CheckedAddresses(httpcore.AsyncNetworkBackend):
    """Connects to the addresses of a target, in their order, whatever host it is told: TLS and the Host header still
    get the name."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address that answers. Each gets its share of `timeout`."""
        failure: Exception = httpcore.ConnectError("no address")
        tried = self._target.addresses[:MOST_ADDRESSES]
        for address in tried:
            share = (timeout or CONNECT_SECONDS) / len(tried)
            try:
                return await self._network.connect_tcp(address, self._target.port, share)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Never: a socket file is not on the internet."""
        raise httpcore.ConnectError("no Unix sockets")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


@asynccontextmanager
async def exchange(
    method: str,
    target: Target,
    headers: Mapping[str, str],
    content: bytes | None = None,
    certificates: ssl.SSLContext | None = None,
) -> AsyncIterator[httpcore.Response]:
    """Sends one request on a connection of its own, and has the answer while the block lasts.

    Raises Unreachable, also for what goes wrong while the block reads the answer; OutboundRefused for headers that
    cannot be sent.
    """
    sent = {"Host": target.url.netloc.decode("ascii"), "User-Agent": USER_AGENT, "Connection": "close", **headers}
    timeouts = {"connect": CONNECT_SECONDS, "read": IDLE_SECONDS, "write": IDLE_SECONDS, "pool": CONNECT_SECONDS}
    with failures_translated(target.host):
        context = certificates or await asyncio.to_thread(_usual_certificates)
        pool = httpcore.AsyncConnectionPool(
            ssl_context=context, max_connections=1, network_backend=CheckedAddresses(target)
        )
        url = httpcore.URL(scheme=target.url.raw_scheme, host=target.host, port=target.port, target=target.url.raw_path)
        async with (
            pool,
            pool.stream(
                method, url, headers=list(sent.items()), content=content, extensions={"timeout": timeouts}
            ) as answer,
        ):
            yield answer


@contextmanager
def failures_translated(host: str) -> Iterator[None]:
    """Translates the failures of httpcore into the errors of this room, with the name of the host."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise _translated(error, host) from error


def _translated(error: Exception, host: str) -> OutboundError:
    if isinstance(error, httpcore.ConnectTimeout):
        return Unreachable(f"Connecting to {host} took too long.")
    if isinstance(error, httpcore.TimeoutException):
        return Unreachable(f"{host} sent nothing for {IDLE_SECONDS:g} s.")
    if isinstance(error, httpcore.ConnectError):
        if _certificate_refused(error):
            return Unreachable(f"The certificate of {host} is not valid.")
        return Unreachable(f"{host} refused the connection or broke it off.")
    if isinstance(error, httpcore.LocalProtocolError):
        return OutboundRefused("The request has a header that cannot be sent.")
    return Unreachable(f"{host} broke off its answer, or did not keep to HTTP.")


def _certificate_refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


@lru_cache(maxsize=1)
def _usual_certificates() -> ssl.SSLContext:
    """The authorities that certify servers: those that SSL_CERT_FILE or SSL_CERT_DIR names, or else those of certifi.
    Loading them takes time, so it happens once, and only when it is needed."""
    return httpx.create_ssl_context()
