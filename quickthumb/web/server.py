"""What the application needs of the uvicorn that serves it, whichever command has started it.

A plain uvicorn lacks limits that `quickthumb serve` has, and believes whoever connects from this machine about the
address of the client. The application mends what it can reach, and says what is left.
"""

import asyncio
import gc
import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor

from uvicorn import Config, Server
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quickthumb.config.sections import WebSettings
from quickthumb.service.shutdown import GRACEFUL_SECONDS
from quickthumb.web.connection import AnnouncesShutdown, IgnoresUpgrades
from quickthumb.web.middleware.proxies import is_proxy
from quickthumb.web.protocol import BoundedProtocol, bounded_protocol

log = logging.getLogger("quickthumb.web")

# Enough for the answers of cancelled requests, and for their clients to read them.
LAST_ANSWERS_SECONDS = 3.0
# For downloads and look-ups, which wait for the disk. asyncio's default is 4 more than there are cores. What changes
# files has threads of its own (`storage/durability.py`).
FILE_THREADS = 32
# uvicorn's variable for the proxies that it believes; here the setting TRUSTED_PROXIES is in its place.
UVICORNS_PROXIES = "FORWARDED_ALLOW_IPS"

UNBOUNDED = "limits on the request head and on slow clients"
ADVICE = "Put a reverse proxy in front that has them, or start `quickthumb serve`."


def adapt_server(web: WebSettings) -> Server | None:
    """Gives the connections of uvicorn the limits of the settings. Of a plain uvicorn, logs in one line what it lacks.

    Returns the server. Call it in the lifespan: the server has its signal handlers by then, and no connections yet. The
    handlers lead to the server; returns None if there is none. A protocol other than httptools' cannot be given the
    limits; it only learns to announce a shutdown.
    """
    if os.environ.get(UVICORNS_PROXIES):
        log.warning("%s is ignored; name the proxies in the setting TRUSTED_PROXIES", UVICORNS_PROXIES)
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if not isinstance(server, Server):
        told = "This server, unlike `quickthumb serve`, may lack %s, and may believe anybody's X-Forwarded-For. %s"
        log.warning(told, UNBOUNDED, ADVICE)
        return None
    _believe_no_proxy(server.config)
    _hide_name(server.config)
    if server.config.timeout_graceful_shutdown is None:
        server.config.timeout_graceful_shutdown = GRACEFUL_SECONDS
    _bound(server.config, web)
    return server


def _believe_no_proxy(config: Config) -> None:
    """Takes away the middleware that believes `X-Forwarded-For` of FORWARDED_ALLOW_IPS, by default of this machine."""
    if isinstance(config.loaded_app, ProxyHeadersMiddleware):
        config.loaded_app = config.loaded_app.app


def _hide_name(config: Config) -> None:
    config.encoded_headers = [header for header in config.encoded_headers if header != (b"server", b"uvicorn")]


def _bound(config: Config, web: WebSettings) -> None:
    protocol = config.http_protocol_class
    is_exempt = is_proxy(web.trusted_proxies)
    if protocol in (HttpToolsProtocol, IgnoresUpgrades):
        config.http_protocol_class = bounded_protocol(web, exempt=is_exempt)
        log.info("Served by plain uvicorn, with the limits of `quickthumb serve`")
    elif issubclass(protocol, BoundedProtocol):
        config.http_protocol_class = bounded_protocol(web, protocol, is_exempt)
    else:
        log.warning("Served by uvicorn with %s, which lacks %s. %s", protocol.__name__, UNBOUNDED, ADVICE)
        if not issubclass(protocol, AnnouncesShutdown):
            config.http_protocol_class = type(protocol.__name__, (AnnouncesShutdown, protocol), {})


def use_many_threads() -> None:
    """Gives the running loop FILE_THREADS threads for its files. They start only once they are needed."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(FILE_THREADS, "files"))


def keep_what_is_loaded() -> None:
    """Takes everything that is in memory now out of garbage collection, since it stays for good. Otherwise each full
    collection would look through all of it, and stop the process for about 50 ms."""
    gc.collect()
    gc.freeze()


async def give_last_answers(server: Server | None) -> None:
    """Lets requests end that uvicorn has cancelled at the end of its grace; it would not wait for their answers."""
    if server is not None and server.server_state.tasks:
        await asyncio.wait(server.server_state.tasks, timeout=LAST_ANSWERS_SECONDS)
