"""Serves the application below a path prefix, for reverse proxies that remove the prefix and for those that keep it."""

from collections.abc import Awaitable

from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send


class RootPath:
    """ASGI middleware: sets `root_path` to the prefix, and `path` to the prefix and a path of the application.

    The prefix is the server's own (`uvicorn --root-path`, which puts it in front of every path) or else `prefix`. If
    the path of the request begins with the prefix although nothing in the application does, the proxy has kept it.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and (self._prefix or scope.get("root_path")):
            self._place(scope)
        return self._app(scope, receive, send)

    def _place(self, scope: Scope) -> None:
        given = scope.get("root_path", "")
        path: str = scope["path"].removeprefix(given)
        prefix = f"/{given.strip('/')}" if given.strip("/") else self._prefix
        scope.update(root_path=prefix, path=prefix + path)
        if f"{path}/".startswith(f"{prefix}/") and not _is_known(scope):
            scope["path"] = path if len(path) > len(prefix) else f"{prefix}/"


def _is_known(scope: Scope) -> bool:
    return any(route.matches(scope)[0] is not Match.NONE for route in scope["app"].routes)
