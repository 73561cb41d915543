"""A file that did not decode, and what could be made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from quickthumb.model.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image


@dataclass(frozen=True, slots=True)
class Failed:
    """An opened file that did not decode at 1/`draft` of its size, which is given as it is stored. `fills` says that
    what is missing of the picture may be made up."""

    image: Image.Image
    path: Path
    size: tuple[int, int]
    draft: int
    fills: bool
    limits: Limits


@dataclass(frozen=True, slots=True)
class Recovered:
    """What could be made of a file that did not decode: a picture, its scale across and down, and what the receipt says
    of it."""

    image: Image.Image
    scale: tuple[float, float]
    warnings: tuple[str, ...]
