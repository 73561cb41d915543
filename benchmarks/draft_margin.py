"""Measures how far `draft()` may shrink a JPEG before resampling: quality against time, for several margins.

    python -m benchmarks.draft_margin [--corpus FOLDER]

A margin is how many times more pixels per side `draft()` must leave, at least, than the result has. For every margin
the photo is rendered at many widths. Time is the CPU time of decoding and resampling; quality is SSIM against Pillow's
Lanczos from the full size. Draws docs/images/draft-margin.svg, and prints its figures.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from benchmarks.compare import CORPUS
from quickthumb.imaging.levels import DRAFT_MARGIN, DRAFT_SCALES
from quickthumb.imaging.resampling import resample
from tests.imaging.measures import ssim

MARGINS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)
WIDTHS = (80, 100, 128, 160, 200, 240, 300, 360, 440, 540, 640, 720, 860, 1000, 1200)
ROUNDS = 7
# The plot: its size and margin in pixels, and where its axes begin and end.
WIDE, HIGH, EDGE = 720, 400, 60
LOWEST, MOST_MILLISECONDS = 0.988, 35
TARGET = Path(__file__).resolve().parents[1] / "docs" / "images" / "draft-margin.svg"


@dataclass(frozen=True, slots=True)
class Point:
    """The figures of one margin over all widths: mean CPU time, mean SSIM and worst SSIM."""

    margin: float
    milliseconds: float
    mean: float
    worst: float


def decode(source: Path, scale: int) -> Image.Image:
    """The photo at 1/scale of its size."""
    image = Image.open(source)
    if scale > 1:
        image.draft(None, (image.width // scale, image.height // scale))
    image.load()
    return image


def measure(source: Path) -> list[Point]:
    """Measures a point for every margin, and one without draft."""
    full = decode(source, 1)

    @cache
    def reference(width: int) -> Image.Image:
        return full.resize((width, round(full.height * width / full.width)), Image.Resampling.LANCZOS)

    @cache
    def made(width: int, scale: int) -> tuple[float, float]:
        """CPU time in seconds, and SSIM."""
        size = reference(width).size
        seconds = []
        for _ in range(ROUNDS):
            start = time.process_time()
            decoded = decode(source, scale)
            box = (0, 0, min(full.width / scale, decoded.width), min(full.height / scale, decoded.height))
            result = resample(decoded, size, box)
            seconds.append(time.process_time() - start)
        return statistics.median(seconds), ssim(result, reference(width))

    def point(margin: float) -> Point:
        scales = [next((s for s in DRAFT_SCALES if full.width / width / s >= margin), 1) for width in WIDTHS]
        times, scores = zip(*(made(width, scale) for width, scale in zip(WIDTHS, scales, strict=True)), strict=True)
        return Point(margin, statistics.mean(times) * 1e3, statistics.mean(scores), min(scores))

    return [point(margin) for margin in (*MARGINS, 100.0)]


def draw(points: Sequence[Point]) -> str:
    """Plots mean and worst SSIM over mean time, as SVG."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" font-family="sans-serif" font-size="12">'
    )
    title = "SSIM to full-size Lanczos over CPU time, in ms, by margin (large: the one chosen)"
    parts = [head, f'<rect width="{WIDE}" height="{HIGH}" fill="white"/>', text(WIDE / 2, 24, title), *axes()]
    for name, color in (("mean", "#1f77b4"), ("worst", "#d62728")):
        line = [place(point.milliseconds, getattr(point, name)) for point in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in line)
        parts.append(f'<path d="M{path}" fill="none" stroke="{color}"/>')
        parts.append(text(line[-1][0] + 24, line[-1][1] + 4, name))
        for point, (x, y) in zip(points, line, strict=True):
            radius = 5 if point.margin == DRAFT_MARGIN else 3
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{color}"/>')
            parts.append(text(x, y + (18 if name == "worst" else -9), label(point)))
    return "\n".join([*parts, "</svg>"]) + "\n"


def axes() -> list[str]:
    """Draws a line every 0.002 of SSIM, and the milliseconds below."""
    parts = []
    for tick in range(7):
        x, y = place(0, LOWEST + tick * 0.002)
        parts.append(f'<path d="M{x:.0f} {y:.0f}H{WIDE - EDGE}" stroke="#ddd"/>')
        parts.append(text(x - 22, y + 4, f"{LOWEST + tick * 0.002:.3f}"))
    for milliseconds in range(0, MOST_MILLISECONDS + 1, 5):
        x, y = place(milliseconds, LOWEST)
        parts.append(text(x, y + 18, str(milliseconds)))
    return parts


def place(milliseconds: float, score: float) -> tuple[float, float]:
    """The pixel at which a time and a score are drawn."""
    x = EDGE + milliseconds / MOST_MILLISECONDS * (WIDE - 2 * EDGE)
    return x, HIGH - EDGE - (score - LOWEST) / (1 - LOWEST) * (HIGH - 2 * EDGE)


def text(x: float, y: float, words: str) -> str:
    """Text centered on a point."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{words}</text>'


def label(point: Point) -> str:
    """A point's margin in words."""
    return "no draft" if point.margin > max(MARGINS) else f"{point.margin:g}"


def main() -> None:
    """Measures, prints the table and writes the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    points = measure(parser.parse_args().corpus / "photos" / "street-2725x2225.jpg")
    print("| margin | CPU time | mean SSIM | worst SSIM |\n|---|---|---|---|")
    for point in points:
        print(f"| {label(point)} | {point.milliseconds:.1f} ms | {point.mean:.4f} | {point.worst:.4f} |")
    TARGET.write_text(draw(points), encoding="utf-8")


if __name__ == "__main__":
    main()
