"""Rewrites the tables in the docs from the code, which declares each row once, and the code of the examples.

python scripts/tables.py
"""

import importlib
import pkgutil
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import quickthumb
from quickthumb.config import SETTINGS
from quickthumb.model.allowance import NO_QUOTAS
from quickthumb.model.errors import catalogue
from quickthumb.model.policy import Terms
from quickthumb.queue import keys

CHECKOUT = Path(__file__).parent.parent


def settings() -> str:
    """A row for every setting: default and meaning. Rows keep their order on the page; a new setting comes last."""
    on_page = re.findall(r"^\| `([A-Z_]+)` \|", (CHECKOUT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    order = {name: place for place, name in enumerate(on_page)}
    rows = ["| `QUICKTHUMB_…` | default | meaning |", "|---|---|---|"]
    for setting in sorted(SETTINGS.values(), key=lambda setting: order.get(setting.name.upper(), len(order))):
        default = f"`{_shown(setting.default)}`" if setting.default not in (None, {}, (), "", NO_QUOTAS) else "none"
        rows.append(f"| `{setting.name.upper()}` | {default} | {setting.meaning} |")
    return "\n".join(rows)


def errors() -> str:
    """A row for every error: status, code, title, and whether it is temporary."""
    _import_every_room()
    rows = ["| status | code | title | |", "|---|---|---|---|"]
    for error in catalogue():
        passing = "" if error.permanent else "temporary: try again"
        rows.append(f"| {error.status} | `{error.code}` | {error.title} | {passing} |")
    return "\n".join(rows)


def _import_every_room() -> None:
    """Fills the catalogue: each error is declared where it is raised, and is in the catalogue once that is imported."""
    roots = ("quickthumb.app", "quickthumb.worker", "quickthumb.__main__")
    for module in pkgutil.walk_packages(quickthumb.__path__, "quickthumb."):
        if module.name not in roots:
            importlib.import_module(module.name)


def redis_keys() -> str:
    """A row for every Redis key, as listed in `queue/keys.py`."""
    rows = [line for line in (keys.__doc__ or "").splitlines() if line.startswith("|")]
    text = "\n".join(rows)
    for name in re.findall(r"`([A-Z_]+_SECONDS)`", text):
        text = text.replace(f"`{name}`", _duration(getattr(keys, name)))
    return text


def policy() -> str:
    """A row for every member of a policy: default and meaning."""
    rows = ["| member | default | meaning |", "|---|---|---|"]
    for name, field in Terms.model_fields.items():
        default = "needed" if field.is_required() else "none" if field.default in (None, {}) else f"`{field.default}`"
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return "\n".join(rows)


LANGUAGES = {
    ".py": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".php": "php",
    ".rb": "ruby",
    ".go": "go",
    ".html": "html",
    ".conf": "nginx",
}


def example(path: str) -> str:
    """A file of the examples, as a code block."""
    text = (CHECKOUT / path).read_text(encoding="utf-8")
    return f"```{LANGUAGES[Path(path).suffix]}\n{text}```"


def _shown_examples() -> dict[str, str]:
    """The files of the examples that a page shows, with the page."""
    pages = sorted((CHECKOUT / "docs").glob("*.md"))
    texts = {f"docs/{page.name}": page.read_text(encoding="utf-8") for page in pages}
    return {path: page for page, text in texts.items() for path in re.findall(r"<!-- (examples/\S+) -->", text)}


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "settings": ("README.md", settings),
    "errors": ("docs/http.md", errors),
    "keys": ("docs/design.md", redis_keys),
    "policy": ("docs/browsers.md", policy),
    **{path: (page, partial(example, path)) for path, page in _shown_examples().items()},
}


def rewritten(text: str, name: str, table: str) -> str:
    """The page with the new table between the table's marks."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}{table}\n{end}", text, flags=re.DOTALL)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _duration(seconds: int) -> str:
    days = seconds // 86_400
    return f"{seconds} s" if days == 0 else f"{days} day{'s' if days > 1 else ''}"


if __name__ == "__main__":
    for name, (page, table) in TABLES.items():
        path = CHECKOUT / page
        path.write_text(rewritten(path.read_text(encoding="utf-8"), name, table()), encoding="utf-8")
