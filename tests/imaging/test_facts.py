"""The facts that a rendering reports about its source."""

import base64
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image

from quickthumb.imaging.placeholder import thumbhash
from tests.imaging.conftest import Engine
from tests.imaging.measures import samples
from tests.imaging.pictures import disc, quadrants


def test_the_corpus_photo(engine: Engine, corpus: Path) -> None:
    facts = engine(corpus / "photos" / "street-2725x2225.jpg", width=128).rendering.facts
    assert (facts.format, facts.width, facts.height, facts.frames) == ("jpeg", 2725, 2225, 1)
    assert not facts.has_alpha
    assert len(base64.b64decode(facts.thumbhash)) == 23


@pytest.mark.parametrize(
    ("picture", "has_alpha"), [(disc(), True), (quadrants(), False), (quadrants().quantize(4), False)]
)
def test_alpha(engine: Engine, picture: Image.Image, has_alpha: bool) -> None:
    assert engine(picture).rendering.facts.has_alpha is has_alpha


def test_the_dominant_color(engine: Engine) -> None:
    picture = Image.new("RGB", (100, 100), "#118833")
    picture.paste((255, 0, 0), (0, 0, 100, 30))
    assert engine(picture).rendering.facts.dominant_color == "#118833"
    assert engine(disc()).rendering.facts.dominant_color == "#ff0000"
    assert engine(Image.new("RGBA", (5, 5), (9, 9, 9, 0))).rendering.facts.dominant_color == "#000000"


def test_facts_and_receipts_are_json(engine: Engine) -> None:
    rendering = engine(quadrants(), width=20).rendering
    assert json.loads(json.dumps(asdict(rendering)))["made"][0]["width"] == 20


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (20, 13)])
def test_tiny_sources(engine: Engine, size: tuple[int, int]) -> None:
    facts = engine(Image.new("RGB", size, "blue")).rendering.facts
    assert (facts.width, facts.height) == size
    assert facts.dominant_color == "#0000ff"


def average(hashed: bytes) -> tuple[float, float, float, float]:
    """The average color that a ThumbHash holds: the reference's thumbHashToAverageRGBA."""
    head = int.from_bytes(hashed[:3], "little")
    lightness, p, q = (head & 63) / 63, (head >> 6 & 63) / 31.5 - 1, (head >> 12 & 63) / 31.5 - 1
    alpha = (hashed[5] & 15) / 15 if head >> 23 else 1.0
    blue = lightness - 2 / 3 * p
    red = (3 * lightness - blue + q) / 2
    return red, red - q, blue, alpha


def test_a_hash_holds_the_average_color() -> None:
    for color in ((255, 0, 0, 255), (20, 120, 220, 255), (0, 255, 0, 128)):
        picture = Image.new("RGBA", (16, 12), color)
        assert average(thumbhash(16, 12, picture.tobytes())) == pytest.approx([s / 255 for s in color], abs=0.04)


def test_the_reference_gives_the_same_hash() -> None:
    """The value is that of the `thumbhash` package 0.1.2 for the same samples."""
    picture = quadrants(16, 12).resize((8, 6), Image.Resampling.BOX).convert("RGBA")
    assert samples(picture).shape == (6, 8, 4)
    assert thumbhash(8, 6, picture.tobytes()).hex() == "1f080ea5a87f85793098687788a889778b5ff8888c"
