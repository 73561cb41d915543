"""The comparison with sharp: every task on both sides in turn, and the medians of the paired ratios.

    python -m benchmarks.compare [--corpus FOLDER] [--rounds N]

Needs Node, and `npm ci` in this folder. Turns are taken run by run, so that whatever else the machine does meanwhile
slows both sides alike.
"""

import argparse
import os
import platform
import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import PIL
from PIL import Image

from benchmarks.sides import LIMITS, Ours, Sharp, Side, Spent, Task
from quickthumb.imaging.engine import render
from tests.imaging.measures import psnr, ssim

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
FIVE = (1280, 960, 640, 320, 128)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what is compared, of which measure, and the most that the ratio should be."""

    task: Task
    target: float
    measure: Callable[[Spent], float] = lambda spent: spent.wall_seconds
    unit: str = "ms"


def rows(corpus: Path) -> list[Row]:
    """The table's lines."""
    photo, paper = corpus / "photos" / "street-2725x2225.jpg", corpus / "photos" / "paper-rgba-2048x1536.png"
    return [
        Row(Task("JPEG → 720 × 588 JPEG q80", photo, (720,), "jpeg"), 1.0),
        Row(Task("JPEG → 128 px JPEG", photo, (128,), "jpeg"), 0.9),
        Row(Task("JPEG → five JPEGs, one job", photo, FIVE, "jpeg"), 0.4, lambda spent: spent.cpu_seconds, "ms CPU"),
        Row(Task("PNG RGBA → 720 × 540 PNG, level 6", paper, (720,), "png"), 1.1),
        Row(Task("JPEG → 720 WebP q80, effort 4", photo, (720,), "webp"), 1.0),
    ]


def compare(row: Row, sides: tuple[Side, Side], folders: tuple[Path, Path], rounds: int) -> tuple[float, float, float]:
    """Medians of our measure, of sharp's, and of the ratios of neighbouring runs."""
    for side, folder in zip(sides, folders, strict=True):
        side.run(row.task, folder)
        _empty(folder)
    pairs = []
    for turn in range(rounds):
        order = (0, 1) if turn % 2 else (1, 0)
        for folder in folders:
            _empty(folder)
        measured = {at: row.measure(sides[at].run(row.task, folders[at])) for at in order}
        pairs.append((measured[0], measured[1]))
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    return ours, theirs, statistics.median(one / other for one, other in pairs)


def _empty(folder: Path) -> None:
    """Overwriting a file may cost more than writing it, and no job does."""
    for path in folder.iterdir():
        path.unlink()


def print_quality(corpus: Path, sides: tuple[Side, Side], folders: tuple[Path, Path]) -> None:
    """How near both sides' 720 × 588 JPEGs are to Pillow's Lanczos of the whole picture."""
    for side, folder in zip(sides, folders, strict=True):
        side.run(rows(corpus)[0].task, folder)
    with Image.open(corpus / "photos" / "street-2725x2225.jpg") as photo:
        reference = photo.resize((720, 588), Image.Resampling.LANCZOS)
    print("\n720 × 588 JPEG q80, against Lanczos from the full size:")
    for name, folder in zip(("QuickThumb", "sharp"), folders, strict=True):
        with Image.open(folder / "w720.jpg") as made:
            size = (folder / "w720.jpg").stat().st_size
            print(f"  {name:<11} PSNR {psnr(made, reference):.2f} dB   SSIM {ssim(made, reference):.4f}   {size} bytes")


def print_threads(corpus: Path, folder: Path, rounds: int) -> None:
    """The rate of two threads over that of one, for the same number of jobs."""
    task = Task("", corpus / "photos" / "street-2725x2225.jpg", (720,), "jpeg")

    def job(_: int) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            render(task.source, task.outputs(), Path(own), LIMITS)

    def seconds(threads: int) -> float:
        with ThreadPoolExecutor(threads) as pool:
            start = perf_counter()
            list(pool.map(job, range(16)))
            return perf_counter() - start

    ratios = [seconds(1) / seconds(2) for _ in range(rounds)]
    print(
        f"\nTwo threads against one, JPEG → 720 × 588: {statistics.median(ratios):.2f} times the rate"
        f" (target 1.85; of {rounds} pairs {min(ratios):.2f} to {max(ratios):.2f})"
    )


def print_machine(versions: dict[str, str]) -> None:
    """What all of it ran on."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    load = ", ".join(f"{load:.2f}" for load in os.getloadavg())
    print(f"{model}, {os.cpu_count()} cores, load {load}; Python {platform.python_version()}, Pillow {PIL.__version__}")
    print(f"sharp {versions['sharp']} (libvips {versions['vips']}), one thread, no cache\n")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, Sharp() as sharp:
        folders = (Path(temporary) / "ours", Path(temporary) / "sharp")
        for folder in folders:
            folder.mkdir()
        print_machine(sharp.versions)
        print("| task | QuickThumb | sharp | ratio | target |\n|---|---|---|---|---|")
        for row in rows(arguments.corpus):
            ours, theirs, ratio = compare(row, (Ours(), sharp), folders, arguments.rounds)
            verdict = "" if ratio <= row.target else " (missed)"
            times = f"{ours * 1e3:.1f} {row.unit} | {theirs * 1e3:.1f} {row.unit}"
            print(f"| {row.task.name} | {times} | {ratio:.2f} | ≤ {row.target}{verdict} |", flush=True)
        print_quality(arguments.corpus, (Ours(), sharp), folders)
        print_threads(arguments.corpus, Path(temporary), max(3, arguments.rounds // 3))


if __name__ == "__main__":
    main()
