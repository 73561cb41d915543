"""The pages for people: `/`, where images are uploaded, `/dashboard`, `/docs` and `/docs/errors`.

They are files of this package, which load nothing from other servers and run no inline script.
"""

import html
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.urls import urls_of
from quickthumb.web.assets import ASSETS, FOLDER
from quickthumb.web.error_page import error_page

STATIC = Path(__file__).parent / "static"
# Swagger UI's script sets inline styles and draws icons from data: URLs; nothing else is allowed.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The pages show pictures that the user has chosen, before they are sent, from blob: URLs.
APP_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# For pages without scripts.
PLAIN_PAGE_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _template(path: Path) -> Template:
    return Template(path.read_text(encoding="utf-8"))


_DOCS = _template(STATIC / "docs.html")
_HOME = _template(FOLDER / "home.html")
_DASHBOARD = _template(FOLDER / "dashboard.html")


async def home(request: Request) -> Response:
    """The page for uploading images and following their jobs."""
    return _app_page(request, _HOME, "home")


async def dashboard(request: Request) -> Response:
    """The dashboard. Its script shows the view that the path names."""
    return _app_page(request, _DASHBOARD, "dashboard")


def _app_page(request: Request, page: Template, folder: str) -> Response:
    urls = urls_of(request)
    assets = urls.app_assets(ASSETS.version)
    text = page.substitute(
        base=html.escape(urls.base), assets=html.escape(assets), modules=_preloads(assets, "core/", f"{folder}/")
    )
    headers = {"Content-Security-Policy": APP_POLICY, "Cache-Control": "no-cache"}
    return Response(text, headers=headers, media_type="text/html")


def _preloads(assets: str, *folders: str) -> str:
    """Tells the browser of all scripts at once; it would learn of one after the other from their imports."""
    names = [name for name in ASSETS.files if name.startswith(folders) and name.endswith(".js")]
    return "\n    ".join(f'<link rel="modulepreload" href="{html.escape(f"{assets}/{name}")}">' for name in names)


async def docs(request: Request) -> Response:
    """Swagger UI."""
    headers = {"Content-Security-Policy": DOCS_POLICY, "Cache-Control": "no-cache"}
    page = _DOCS.substitute(base=html.escape(urls_of(request).base))
    return Response(page, headers=headers, media_type="text/html")


async def errors(request: Request) -> Response:
    """Explains every error."""
    headers = {"Content-Security-Policy": PLAIN_PAGE_POLICY, "Cache-Control": "no-cache"}
    return Response(error_page(urls_of(request)), headers=headers, media_type="text/html")
