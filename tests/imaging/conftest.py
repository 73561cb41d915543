"""The engine as its tests use it: one picture in, the made pictures out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from quickthumb.imaging.engine import Made, Rendering, render
from quickthumb.model.limits import Limits
from quickthumb.model.output import parse_output

LIMITS = Limits(max_pixels=100_000_000)


@dataclass(frozen=True)
class Result:
    """A rendering, and the folder that its files are in."""

    rendering: Rendering
    folder: Path

    @property
    def only(self) -> Made:
        (made,) = self.rendering.made
        return made

    def path(self, name: str = "thumbnail") -> Path:
        return self.folder / next(made.filename for made in self.rendering.made if made.name == name)

    def picture(self, name: str = "thumbnail") -> Image.Image:
        with Image.open(self.path(name)) as image:
            image.load()
            return image


Engine = Callable[..., Result]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Renders a file, or a picture saved as PNG, with outputs as a form would give them."""

    def run(
        source: Path | Image.Image, *outputs: Mapping[str, Any], limits: Limits = LIMITS, **parameters: Any
    ) -> Result:
        if isinstance(source, Image.Image):
            source.save(tmp_path / "source.png")
            source = tmp_path / "source.png"
        folder = tmp_path / "made"
        folder.mkdir(exist_ok=True)
        wanted = [parse_output(output) for output in outputs or (parameters,)]
        return Result(render(source, wanted, folder, limits), folder)

    return run
