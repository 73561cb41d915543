"""Middleware that keeps the application from starting, with one sentence instead of a traceback."""

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send


class StartCheck:
    """ASGI middleware: awaits `check` before the application starts. If that returns a sentence, the server logs it and
    exits."""

    def __init__(self, app: ASGIApp, check: Callable[[], Awaitable[str | None]]) -> None:
        self._app = app
        self._check = check

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Not a coroutine of its own, so that requests do not pay for it.
        return self._start(scope, receive, send) if scope["type"] == "lifespan" else self._app(scope, receive, send)

    async def _start(self, scope: Scope, receive: Receive, send: Send) -> None:
        sentence = await self._check()
        if sentence is None:
            await self._app(scope, receive, send)
            return
        await receive()
        await send({"type": "lifespan.startup.failed", "message": sentence})
