"""The examples in docs/client.md run as they are shown."""

import re
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, picture

PAGE = (CHECKOUT / "docs" / "client.md").read_text(encoding="utf-8")


def test_the_examples_run(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(picture())
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    for example in examples:
        exec(example.replace("http://127.0.0.1:8000", service), {})  # noqa: S102 - our own page
    assert len(examples) == 4
    assert {path.name for path in tmp_path.iterdir()} == {
        "photo.jpg",
        "results.zip",
        "square-32.jpeg",
        "square-64.jpeg",
        "thumbnail.jpg",
    }
    shown = capsys.readouterr().out
    assert "photo.jpg" in shown
    assert "415 unsupported_image" in shown
