"""Draws docs/images/contact-sheet.png: every fit, position, filter and format on the corpus photo, for a visual check.

python scripts/contact_sheet.py [--corpus FOLDER] [--target FILE]
"""

import argparse
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

from quickthumb.imaging.engine import render  # noqa: E402
from quickthumb.model.limits import Limits  # noqa: E402
from quickthumb.model.output import Output, parse_output  # noqa: E402

CELL = (150, 122)
LABEL_PIXELS = 16
COLUMNS = 8
COVER = {"size": "80x110", "fit": "cover"}
BOX = {"size": "140x110"}

# The parameters of every cell, row by row: first of the photo, then, in the last row, of a transparent picture.
PHOTO: list[dict[str, str]] = [
    *({"size": "140x80", "fit": fit} for fit in ("inside", "cover", "contain", "fill")),
    {"size": "140x80", "fit": "contain", "background": "#357"},
    {"size": "140x80", "fit": "contain", "position": "right"},
    {"crop": "900,600,900,700", **BOX},
    {"crop": "1300,1000,60,50", "enlarge": "yes", **BOX},
    *({**COVER, "position": position} for position in ("top-left", "left", "center", "right", "0.7,0.5", "smart")),
    *({"size": "140x40", "fit": "cover", "position": position} for position in ("top", "bottom")),
    *({"rotate": degrees, **BOX} for degrees in ("90", "180", "270", "15")),
    {"rotate": "-30", "background": "#357", **BOX},
    {"flip": "yes", **BOX},
    {"flop": "yes", **BOX},
    {"grayscale": "yes", **BOX},
    *({"blur": sigma, **BOX} for sigma in ("1", "4")),
    *({"sharpen": percent, **BOX} for percent in ("100", "300")),
    *({"brightness": factor, **BOX} for factor in ("0.6", "1.5")),
    *({"contrast": factor, **BOX} for factor in ("0.5", "1.6")),
    *({"saturation": factor, **BOX} for factor in ("0", "2")),
    *({"format": name, **BOX} for name in ("jpeg", "png", "webp", "avif", "gif")),
    {"format": "jpeg", "quality": "10", **BOX},
    {"format": "webp", "max_bytes": "1500", **BOX},
    {"format": "avif", "quality": "10", **BOX},
    {"format": "webp", "lossless": "yes", **BOX},
]
TRANSPARENT: list[dict[str, str]] = [
    *({"format": name, **BOX} for name in ("png", "webp", "avif", "gif", "jpeg")),
    {"format": "jpeg", "background": "#357", **BOX},
    {"format": "png", "blur": "3", **BOX},
    {"format": "png", "rotate": "20", **BOX},
]


def main() -> None:
    """Renders all cells and draws the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CHECKOUT.parent / "shared" / "corpus")
    parser.add_argument("--target", type=Path, default=CHECKOUT / "docs" / "images" / "contact-sheet.png")
    arguments = parser.parse_args()
    photos = arguments.corpus / "photos"
    cells = made_cells(photos / "street-2725x2225.jpg", PHOTO)
    cells += [Image.new("RGB", CELL, "white")] * (-len(cells) % COLUMNS)
    cells += made_cells(photos / "paper-rgba-2048x1536.png", TRANSPARENT)
    sheet = draw_sheet(cells)
    sheet.quantize(256, Image.Quantize.MEDIANCUT).save(arguments.target, optimize=True)
    print(f"{arguments.target}: {arguments.target.stat().st_size} bytes")


def made_cells(source: Path, wanted: list[dict[str, str]]) -> list[Image.Image]:
    """A labeled cell for each set of parameters."""
    outputs: list[Output] = [parse_output({"name": f"cell{at}", **parameters}) for at, parameters in enumerate(wanted)]
    with tempfile.TemporaryDirectory() as folder:
        made = render(source, outputs, Path(folder), Limits(max_pixels=100_000_000)).made
        return [draw_cell(Path(folder) / one.filename, label(given)) for one, given in zip(made, wanted, strict=True)]


def label(parameters: dict[str, str]) -> str:
    """The parameters in a few words, without the size that most cells share."""
    told = {name: value for name, value in parameters.items() if (name, value) != ("size", BOX["size"])}
    return " ".join(value if name in ("fit", "format", "size") else f"{name}={value}" for name, value in told.items())


def draw_cell(path: Path, text: str) -> Image.Image:
    """The picture on a checkerboard, so that transparency shows, above its label."""
    cell = Image.new("RGB", CELL, "white")
    with Image.open(path) as picture:
        ground = checkerboard(picture.size)
        ground.alpha_composite(picture.convert("RGBA"))
    room = CELL[1] - LABEL_PIXELS
    ground.thumbnail((CELL[0], room))
    cell.paste(ground.convert("RGB"), ((CELL[0] - ground.width) // 2, (room - ground.height) // 2))
    ImageDraw.Draw(cell).text((CELL[0] / 2, CELL[1] - 6), text[:34], "black", ImageFont.load_default(9), anchor="mm")
    return cell


def checkerboard(size: tuple[int, int]) -> Image.Image:
    """A checkerboard with squares of 6 pixels, in white and light gray."""
    board = Image.new("RGBA", size, "#ffffff")
    pen = ImageDraw.Draw(board)
    for y in range(0, size[1], 6):
        for x in range(y % 12, size[0], 12):
            pen.rectangle((x, y, x + 5, y + 5), "#d8d8d8")
    return board


def draw_sheet(cells: list[Image.Image]) -> Image.Image:
    """Arranges the cells in rows."""
    gap = 4
    rows = -(-len(cells) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (CELL[0] + gap) + gap, rows * (CELL[1] + gap) + gap), "white")
    for at, cell in enumerate(cells):
        sheet.paste(cell, (gap + at % COLUMNS * (CELL[0] + gap), gap + at // COLUMNS * (CELL[1] + gap)))
    return sheet


if __name__ == "__main__":
    main()
