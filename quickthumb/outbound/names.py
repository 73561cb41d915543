"""Asks the system's resolver for the addresses of a name."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable

from quickthumb.outbound.errors import Unreachable

# The addresses of a host, as text, for a port. Raises Unreachable.
Resolve = Callable[[str, int], Awaitable[list[str]]]

# The resolver cannot be interrupted, and may hang for half a minute.
MOST_AT_ONCE = 16
_free = threading.BoundedSemaphore(MOST_AT_ONCE)


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, in the order of preference.

    Each question has a thread of its own that does not keep the process from ending: in the threads that the event loop
    lends to everybody, a few hanging questions would keep the storage waiting.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()
    if not _free.acquire(blocking=False):
        raise Unreachable(f"Too many host names are being looked up, so {host} was not.")
    try:
        threading.Thread(target=_ask, args=(loop, answer, host, port), name=f"resolve {host}", daemon=True).start()
    except BaseException:
        _free.release()
        raise
    return await answer


def _ask(loop: asyncio.AbstractEventLoop, answer: "asyncio.Future[list[str]]", host: str, port: int) -> None:
    found: list[str] | None = None
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        pass  # there is no such name, or nobody who would know
    finally:
        _free.release()
    with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_tell, answer, found, host)


def _tell(answer: "asyncio.Future[list[str]]", found: list[str] | None, host: str) -> None:
    if answer.done():
        return
    if found:
        answer.set_result(list(dict.fromkeys(found)))
    else:
        answer.set_exception(Unreachable(f"The host name {host} has no address."))
