"""Writes the README's table of settings from `quickthumb/config.py`, where each is declared.

python scripts/settings_table.py          rewrites README.md
"""

import re
from pathlib import Path

from pydantic_core import PydanticUndefined

from quickthumb.config import Config

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- settings -->\n", "<!-- /settings -->\n"


def table() -> str:
    """The settings as a Markdown table."""
    rows = ["| `QUICKTHUMB_…` | default | meaning |", "|---|---|---|"]
    for name, field in Config.model_fields.items():
        rows.append(f"| `{name.upper()}` | {_shown(field.default)} | {field.description} |")
    return "\n".join(rows) + "\n"


def _shown(default: object) -> str:
    if default is None or default is PydanticUndefined:
        return "none"
    if isinstance(default, int | float) and not isinstance(default, bool):
        return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
    return f"`{default}`"


def rewritten(text: str) -> str:
    """The README with its table made anew."""
    return re.sub(f"{BEGIN}.*?{END}", lambda _: BEGIN + table() + END, text, flags=re.DOTALL)


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text(encoding="utf-8")), encoding="utf-8")
