"""Holds the answer to a request until its job has ended, for as long as the client is there."""

import asyncio

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from quickthumb.http.requests import caller_of, service_of
from quickthumb.model.job import Job


async def waited(request: Request, job_id: str, seconds: float) -> tuple[Job, bool]:
    """What `ImageService.wait_if_room` returns. Raises ClientDisconnect at once when the client hangs up."""
    # A cancel scope cancels repeatedly: redis-py sends with `wait_for`, which may swallow it once in Python 3.11.
    with anyio.CancelScope() as scope:
        watcher = asyncio.create_task(cancel_when_gone(request.receive, scope), name="client watch")
        try:
            return await service_of(request).wait_if_room(caller_of(request), job_id, seconds)
        finally:
            watcher.cancel()
    raise ClientDisconnect


async def cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    """Cancels the scope when the client hangs up."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
