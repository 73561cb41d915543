"""Golden pictures: results that a person has checked by eye, compared with those of today by SSIM.

After an intended change, make them again with `python -m tests.imaging.test_golden`, and check them by eye.
"""

import tempfile
from pathlib import Path

import pytest
from PIL import Image

from quickthumb.imaging.engine import render
from quickthumb.model.output import parse_output
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.measures import delta_e, ssim

GOLDEN = Path(__file__).parent / "golden"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
# Name of the golden picture -> its source in the corpus, and the parameters.
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "inside": ("photos/street-2725x2225.jpg", {"width": "128"}),
    "smart": ("photos/street-2725x2225.jpg", {"size": "90x120", "fit": "cover", "position": "smart"}),
    "filters": (
        "photos/street-2725x2225.jpg",
        {"width": "128", "brightness": "1.3", "contrast": "1.2", "saturation": "1.5", "sharpen": "100"},
    ),
    "slanted": ("photos/tree-1024.webp", {"width": "128", "rotate": "-20", "background": "navy"}),
    "flattened": (
        "photos/paper-rgba-2048x1536.png",
        {"width": "128", "background": "#ffeecc", "format": "jpeg", "quality": "95"},
    ),
    "cmyk": ("colour/cmyk-icc.jpg", {"width": "128"}),
    "ink": ("colour/cmyk-no-profile.jpg", {"width": "128"}),
    "cielab": ("colour/cielab.tiff", {"width": "128"}),
    "turned": ("orientation/landscape-7.jpg", {"width": "128", "grayscale": "yes"}),
    "avif": ("photos/pitm.avif", {"size": "128x96", "fit": "contain", "background": "teal"}),
}


@pytest.mark.parametrize("name", CASES)
def test_looks_as_it_did(engine: Engine, corpus: Path, name: str) -> None:
    source, parameters = CASES[name]
    made = engine(corpus / source, **{"format": "png", **parameters}).picture().convert("RGB")
    with Image.open(GOLDEN / f"{name}.webp") as golden:
        assert made.size == golden.size
        assert ssim(made, golden) > 0.97
        assert delta_e(made, golden) < 2


def main() -> None:
    """Makes all golden pictures anew."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (source, parameters) in CASES.items():
            output = parse_output({"format": "png", **parameters, "name": name})
            made = render(CORPUS / source, [output], Path(folder), LIMITS).made[0]
            with Image.open(Path(folder) / made.filename) as picture:
                picture.convert("RGB").save(GOLDEN / f"{name}.webp", lossless=True, method=6)


if __name__ == "__main__":
    main()
