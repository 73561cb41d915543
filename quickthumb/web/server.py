"""What the application needs of the uvicorn that serves it, whichever command has started it."""

import asyncio
import signal

from uvicorn import Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quickthumb.config.sections import WebSettings
from quickthumb.web.connection import AnnouncesShutdown
from quickthumb.web.protocol import BoundedProtocol, bounded_protocol

# Enough for the answers of cancelled requests, and for their clients to read them.
LAST_ANSWERS_SECONDS = 3.0


def adapt_server(web: WebSettings) -> Server | None:
    """Gives the connections of uvicorn the limits of the settings, and makes them announce a shutdown. Returns the
    server.

    Call it in the lifespan: the server has its signal handlers by then, and no connections yet. The handlers lead to
    the server; returns None if there is none. A protocol other than httptools' only learns to announce a shutdown.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if not isinstance(server, Server):
        return None
    protocol = server.config.http_protocol_class
    if protocol is HttpToolsProtocol:
        server.config.http_protocol_class = bounded_protocol(web)
    elif issubclass(protocol, BoundedProtocol):
        server.config.http_protocol_class = bounded_protocol(web, protocol)
    elif not issubclass(protocol, AnnouncesShutdown):
        server.config.http_protocol_class = type(protocol.__name__, (AnnouncesShutdown, protocol), {})
    return server


async def give_last_answers(server: Server | None) -> None:
    """Lets requests end that uvicorn has cancelled at the end of its grace; it would not wait for their answers."""
    if server is not None and server.server_state.tasks:
        await asyncio.wait(server.server_state.tasks, timeout=LAST_ANSWERS_SECONDS)
