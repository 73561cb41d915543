"""`/docs` and `/openapi.json`: the service explains itself, from its own files."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

STATIC = Path(__file__).parent / "static"
# Swagger UI sets styles from its script and draws its icons from data addresses; it needs nothing else.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def home(request: Request) -> Response:
    """Leads to the docs."""
    return RedirectResponse("/docs")


async def docs(request: Request) -> Response:
    """Swagger UI."""
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
    return FileResponse(STATIC / "docs.html", headers=headers, media_type="text/html")


async def openapi(request: Request) -> Response:
    """The description of every route, OpenAPI 3.1."""
    return Response(request.app.state.openapi, headers={"Cache-Control": "no-cache"}, media_type="application/json")
