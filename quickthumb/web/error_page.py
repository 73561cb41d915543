"""The page `/docs/errors`, to which the `type` of every problem leads. It derives from the catalogue of errors."""

import html
import re

from quickthumb.http.urls import Urls
from quickthumb.model.errors import QuickThumbError, catalogue
from quickthumb.notify import errors as notify_errors
from quickthumb.sandbox import errors as sandbox_errors
from quickthumb.web import protocol
from quickthumb.work import errors as work_errors

# An error is in the catalogue once its module is imported, and a web process needs these modules for nothing else.
RAISED_ELSEWHERE = (notify_errors, protocol, sandbox_errors, work_errors)


def error_page(urls: Urls) -> str:
    """The page, in HTML. It has an anchor for the code of each error."""
    sections = "\n".join(_section(kind) for kind in catalogue())
    return f"""<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>QuickThumb: errors</title>
    <link rel="icon" href="{html.escape(urls.asset("swagger-ui/favicon-32x32.png"))}">
    <link rel="stylesheet" href="{html.escape(urls.asset("errors.css"))}">
  </head>
  <body>
    <h1>Errors</h1>
    <p>Every error has a stable <code>code</code>. <code>detail</code> says what went wrong this time.
    See also the <a href="{html.escape(urls.docs())}">API</a>.</p>
{sections}
  </body>
</html>
"""


def _section(kind: type[QuickThumbError]) -> str:
    advice = "" if kind.permanent else " Temporary: the same request may succeed later."
    return f"""    <section id="{kind.code}">
      <h2><code>{kind.code}</code></h2>
      <p><strong>{kind.status}: {html.escape(kind.title)}.</strong>{advice}</p>
      <p>{_paragraph(kind.__doc__ or "")}</p>
    </section>"""


def _paragraph(text: str) -> str:
    escaped = html.escape(" ".join(text.split()))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", escaped)
