"""What nobody foresaw: a bug, or a client that goes away while it sends."""

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quickthumb.http.problems import asked, problem
from quickthumb.model.errors import InternalError

log = logging.getLogger("quickthumb.web")


class Mishaps:
    """ASGI middleware: a bug is answered as every problem is, with all headers; the client learns nothing more of it.

    Starlette's own place for this lies outside of every other middleware, whose headers would be missing.
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
                raise  # the server logs it and cuts the connection, which is all that can still be said
            log.exception("%s went wrong", asked(scope), exc_info=error)
            answer = problem(InternalError("The request could not be answered, for a reason that has been logged."))
            await answer(scope, receive, send)
