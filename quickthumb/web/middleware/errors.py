"""The last resort: an error that no handler expected, or a client that disconnects while it sends."""

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quickthumb.http.problems import asked, problem
from quickthumb.model.errors import InternalError

log = logging.getLogger("quickthumb.web")


class ServerErrors:
    """ASGI middleware: answers a bug with a problem that tells the client nothing of it, and logs it.

    Starlette's own ServerErrorMiddleware lies outside of every other middleware, so their headers would be missing.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except ClientDisconnect:
            log.info("%s: the client went away", asked(scope))
        except Exception as error:
            if begun:
                raise  # uvicorn logs it and closes the connection: it is too late for another answer
            log.exception("%s went wrong", asked(scope), exc_info=error)
            answer = problem(InternalError("The request could not be answered, for a reason that has been logged."))
            await answer(scope, receive, send)
