"""Compares the bytes that QuickThumb and sharp need for the same quality by SSIMULACRA2, which sees as people do.

    python -m benchmarks.equal_quality [--corpus FOLDER] [--width PIXELS]

Needs Node, `npm ci` in this folder, and `pip install ssimulacra2`, which is no dependency of the project: it brings
scipy.
"""

import argparse
import math
import tempfile
from importlib import import_module
from itertools import pairwise
from pathlib import Path

from PIL import Image

from benchmarks.compare import CORPUS
from benchmarks.sides import Ours, Sharp, Side, Task

# The qualities at which each side is measured, and the scores at which they are compared.
QUALITIES = (30, 40, 50, 60, 70, 80, 90)
SCORES = {"jpeg": (60, 70, 80), "webp": (60, 70, 80), "avif": (60, 70, 80)}
EXTENSIONS = {"jpeg": "jpg"}
# A point of a curve: the score, and the bytes of the file.
Point = tuple[float, int]


def curve(side: Side, source: Path, format_name: str, reference: Path, width: int) -> list[Point]:
    """What a side needs at each quality, by rising score."""
    points = []
    with tempfile.TemporaryDirectory() as folder:
        for quality in QUALITIES:
            side.run(Task("", source, (width,), format_name, quality=quality), Path(folder))
            made = Path(folder) / f"w{width}.{EXTENSIONS.get(format_name, format_name)}"
            points.append((score(reference, made), made.stat().st_size))
    return sorted(points)


def score(reference: Path, made: Path) -> float:
    """SSIMULACRA2 of a file against the reference."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        with Image.open(made) as image:
            image.convert("RGB").save(file.name)
        return float(import_module("ssimulacra2").compute_ssimulacra2(str(reference), file.name))


def bytes_at(points: list[Point], wanted: float) -> float | None:
    """The bytes at a score, between the two nearest points of a curve, in logarithms; None outside of it."""
    for (low, fewer), (high, more) in pairwise(points):
        if low <= wanted <= high:
            share = (wanted - low) / (high - low)
            return math.exp(math.log(fewer) * (1 - share) + math.log(more) * share)
    return None


def print_table(source: Path, width: int, sharp: Sharp) -> None:
    """Prints the bytes of both sides at each score."""
    with tempfile.TemporaryDirectory() as folder, Image.open(source) as photo:
        reference = Path(folder) / "reference.png"
        size = (width, round(photo.height * width / photo.width))
        photo.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(reference)
        print("| format | SSIMULACRA2 | QuickThumb | sharp | ratio |\n|---|---|---|---|---|")
        for name, scores in SCORES.items():
            ours, theirs = (curve(side, source, name, reference, width) for side in (Ours(), sharp))
            for wanted in scores:
                print_row(name, wanted, bytes_at(ours, wanted), bytes_at(theirs, wanted))


def print_row(name: str, wanted: float, ours: float | None, theirs: float | None) -> None:
    """Prints a line of the table; a side that does not reach the score has no bytes."""
    ratio = "" if ours is None or theirs is None else f"{ours / theirs:.2f}"
    cells = ("" if found is None else f"{found:.0f}" for found in (ours, theirs))
    print(f"| {name} | {wanted} | {' | '.join(cells)} | {ratio} |", flush=True)


def main() -> None:
    """Prints the table for the photo of the corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--width", type=int, default=720)
    arguments = parser.parse_args()
    with Sharp() as sharp:
        print_table(arguments.corpus / "photos" / "street-2725x2225.jpg", arguments.width, sharp)


if __name__ == "__main__":
    main()
