"""docs/imaging.md has the parameter list of the code. To rewrite it: `python -m tests.imaging.test_docs`."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from quickthumb.imaging.formats import WRITTEN
from quickthumb.model.output import Output
from tests.imaging.pictures import noise

PAGE = Path(__file__).parents[2] / "docs" / "imaging.md"
BEGIN, END = "<!-- parameters -->\n", "<!-- end of parameters -->"

_WORDS = {"True": "yes", "False": "no"}


def table() -> str:
    """The parameters as a table of Markdown."""
    lines = ["| parameter | values | default | meaning |", "|---|---|---|---|"]
    for name, schema in Output.model_json_schema()["properties"].items():
        default = schema.get("default")
        told = "" if default is None else f"`{_WORDS.get(str(default), default)}`"
        lines.append(f"| `{name}` | {values(schema)} | {told} | {schema['description']} |")
    return "\n".join(lines) + "\n"


def values(schema: dict[str, Any]) -> str:
    """What a parameter may be, in short."""
    schema = next((one for one in schema.get("anyOf", []) if one.get("type") != "null"), schema)
    if "anyOf" in schema:
        schema = schema["anyOf"][0]
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "examples" in schema:
        return ", ".join(f"`{value}`" for value in schema["examples"])
    if schema.get("type") in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        return f"{low} … {schema['maximum']}" if "maximum" in schema else f"from {low}"
    if schema.get("type") == "boolean":
        return "`yes`, `no`"
    return f"`{schema['pattern']}`" if "pattern" in schema else "text"


def test_the_table_of_parameters_is_that_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page[page.index(BEGIN) + len(BEGIN) : page.index(END)] == table()


def test_the_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    noise(600, 500).save("photo.jpg")
    exec(compile(example, str(PAGE), "exec"), {})  # noqa: S102 - the page's own example
    with Image.open("results/thumbnail.webp") as made:
        assert made.size == (400, 300)


def test_every_picture_of_the_page_is_there() -> None:
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / picture).is_file()


def test_every_format_is_mentioned() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(name in page for name in WRITTEN)


def main() -> None:
    """Writes the table into the page."""
    page = PAGE.read_text(encoding="utf-8")
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    PAGE.write_text(page[:start] + table() + page[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
