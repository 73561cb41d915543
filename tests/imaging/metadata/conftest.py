"""Rendering bytes, and reading what the result holds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.imaging.conftest import Engine, Result

Rendered = Callable[..., Result]


@pytest.fixture
def rendered(engine: Engine, tmp_path: Path) -> Rendered:
    """Renders a file of these bytes with one output."""

    def run(data: bytes, **parameters: Any) -> Result:
        path = tmp_path / "picture"
        path.write_bytes(data)
        return engine(path, **parameters)

    return run
