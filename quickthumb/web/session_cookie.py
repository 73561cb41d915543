"""The cookie of a session: how a browser gets it, and which requests it counts in.

No page of another origin can use it. `SameSite=Strict` keeps browsers from sending it for other sites; but other ports
and neighboring names are the same site, so the headers that describe the page are checked, too.
"""

from starlette.datastructures import Headers
from starlette.types import Scope

from quickthumb.http.errors import CrossOrigin
from quickthumb.http.urls import urls_in
from quickthumb.service.sessions import LONGEST_SECONDS, Session, Sessions
from quickthumb.web.middleware.origins import is_of_own_page

NAME = "quickthumb_session"
# Browsers accept a cookie with this prefix only over HTTPS and for a single host, so no neighboring host can set it.
OF_THIS_HOST = "__Host-"


class SessionCheck:
    """Finds the session in the requests of an endpoint that `changes` something, or not."""

    def __init__(self, sessions: Sessions, *, changes: bool) -> None:
        self._sessions = sessions
        self._changes = changes

    def session_in(self, scope: Scope) -> Session | None:
        """The session that the request came with; None if it has none that is valid. Raises CrossOrigin if it does not
        come from a page of this very origin."""
        text = _given(scope)
        session = None if text is None else self._sessions.find(text)
        if session is not None and not is_of_own_page(Headers(scope=scope), changes=self._changes):
            raise CrossOrigin("Only pages of this service may send its session cookie. Others need a key of their own.")
        return session


def cookie_of(session: Session, scope: Scope) -> str:
    """The `Set-Cookie` header by which the browser that sent this request keeps a session."""
    return _cookie(session.text, LONGEST_SECONDS, scope)


def no_cookie(scope: Scope) -> str:
    """The `Set-Cookie` header by which it forgets any session."""
    return _cookie("", 0, scope)


def _cookie(value: str, seconds: int, scope: Scope) -> str:
    path = urls_in(scope).base or "/"
    secure = "; Secure" if _is_secure(scope) else ""
    return f"{_name(scope)}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"


def _name(scope: Scope) -> str:
    return f"{OF_THIS_HOST}{NAME}" if _is_secure(scope) and not urls_in(scope).base else NAME


def _is_secure(scope: Scope) -> bool:
    """Whether the client came by HTTPS, as far as the server or a trusted proxy says."""
    return bool(scope.get("scheme") == "https")


def _given(scope: Scope) -> str | None:
    """The cookie's value; None if there is none, or more than one: then somebody else may have set one of them."""
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"]
    if not lines:
        return None
    wanted = _name(scope)
    pairs = (pair.partition("=") for pair in ";".join(lines).split(";"))
    values = [value.strip() for name, _, value in pairs if name.strip() == wanted]
    return values[0] if len(values) == 1 else None
