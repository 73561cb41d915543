"""Compares the imaging engine with sharp: runs each task on both sides in turn; prints medians of the paired ratios.

    python -m benchmarks.compare [--corpus FOLDER] [--rounds N]

Needs Node, and `npm ci` in this folder. The sides alternate with every run, so that any other load on the machine slows
both alike.
"""

import argparse
import os
import platform
import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Literal

import PIL
from PIL import Image

from benchmarks.sides import LIMITS, Ours, Sharp, Side, Spent, Task
from quickthumb.imaging.engine import render
from tests.imaging.measures import psnr, ssim

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
FIVE = (1280, 960, 640, 320, 128)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: the task, the highest acceptable ratio, and the measure that the ratio is of."""

    task: Task
    target: float
    measure: Literal["wall", "cpu"] = "wall"


@dataclass(frozen=True, slots=True)
class Ratios:
    """Medians: of both sides' times, in milliseconds of the row's measure, and of the ratios of adjacent runs; and the
    bytes of both sides' files."""

    ours: float
    theirs: float
    wall: float
    cpu: float
    bytes: tuple[int, int]


def rows(corpus: Path) -> list[Row]:
    """The lines of the table."""
    photo, paper = corpus / "photos" / "street-2725x2225.jpg", corpus / "photos" / "paper-rgba-2048x1536.png"
    screen, animated = corpus / "reported" / "palette16_screenshot.png", corpus / "animated"
    return [
        Row(Task("JPEG → 720 × 588 JPEG q80", photo, (720,), "jpeg"), 1.0),
        Row(Task("JPEG → 128 px JPEG", photo, (128,), "jpeg"), 0.9),
        Row(Task("JPEG → five JPEGs, one job", photo, FIVE, "jpeg"), 0.4, "cpu"),
        Row(Task("PNG RGBA → 720 × 540 PNG, level 6", paper, (720,), "png"), 1.1),
        Row(Task("JPEG → 720 WebP q80, effort 4", photo, (720,), "webp"), 1.0),
        Row(Task("PNG of 16 colors → 600 × 400 PNG of 256", screen, (600,), "png", palette=True), 1.2),
        Row(Task("GIF, 10 frames → 278 × 214 GIF (75 %)", animated / "loop-3.gif", (278,), "gif"), 1.0),
        Row(Task("GIF, 30 frames → 60 × 60 GIF (75 %)", animated / "rotating-squares.gif", (60,), "gif"), 1.0),
    ]


def compare(row: Row, sides: tuple[Side, Side], folders: tuple[Path, Path], rounds: int) -> Ratios:
    """Runs both sides in turn; each goes first every other time."""
    for side, folder in zip(sides, folders, strict=True):
        side.run(row.task, folder)
    pairs: list[tuple[Spent, Spent]] = []
    for turn in range(rounds):
        for folder in folders:
            _empty(folder)
        order = (0, 1) if turn % 2 else (1, 0)
        spent = {at: sides[at].run(row.task, folders[at]) for at in order}
        pairs.append((spent[0], spent[1]))
    times = [(one.wall_seconds, other.wall_seconds) for one, other in pairs]
    cpu = [(one.cpu_seconds, other.cpu_seconds) for one, other in pairs]
    ours, theirs = (statistics.median(side) for side in zip(*(cpu if row.measure == "cpu" else times), strict=True))
    made = [sum(path.stat().st_size for path in folder.iterdir()) for folder in folders]
    return Ratios(ours * 1e3, theirs * 1e3, _ratio(times), _ratio(cpu), (made[0], made[1]))


def _ratio(pairs: Sequence[tuple[float, float]]) -> float:
    return statistics.median(one / other for one, other in pairs)


def _empty(folder: Path) -> None:
    """Empties the folder: overwriting a file may cost more than writing a new one, and no job overwrites files."""
    for path in folder.iterdir():
        path.unlink()


def print_row(row: Row, found: Ratios) -> None:
    """Prints a line of the table."""
    ratio, unit = (found.cpu, "ms CPU") if row.measure == "cpu" else (found.wall, "ms")
    verdict = "" if ratio <= row.target else " (missed)"
    times = f"{found.ours:.1f} {unit} | {found.theirs:.1f} {unit}"
    sizes = f"{found.bytes[0]} | {found.bytes[1]}"
    measured = f"{times} | {ratio:.2f} | ≤ {row.target}{verdict} | {found.cpu:.2f} | {sizes}"
    print(f"| {row.task.name} | {measured} |", flush=True)


def print_quality(corpus: Path, sides: tuple[Side, Side], folders: tuple[Path, Path]) -> None:
    """Prints how close both sides' 720 × 588 JPEGs are to Pillow's Lanczos from the full size."""
    for side, folder in zip(sides, folders, strict=True):
        side.run(rows(corpus)[0].task, folder)
    with Image.open(corpus / "photos" / "street-2725x2225.jpg") as photo:
        reference = photo.resize((720, 588), Image.Resampling.LANCZOS)
    print("\n720 × 588 JPEG q80, against Lanczos from the full size:")
    for name, folder in zip(("QuickThumb", "sharp"), folders, strict=True):
        with Image.open(folder / "w720.jpg") as made:
            size = (folder / "w720.jpg").stat().st_size
            print(f"  {name:<11} PSNR {psnr(made, reference):.2f} dB   SSIM {ssim(made, reference):.4f}   {size} bytes")


def print_threads(corpus: Path, rounds: int) -> None:
    """Prints the rate of two threads over that of one, and the same for processes, which share nothing.

    Both are measured in the same minutes: the processes show what the machine can give.
    """
    job = partial(render_once, corpus / "photos" / "street-2725x2225.jpg")

    def seconds(pool: Executor) -> float:
        list(pool.map(job, range(2)))
        start = perf_counter()
        list(pool.map(job, range(16)))
        return perf_counter() - start

    with (
        ThreadPoolExecutor(1) as thread,
        ThreadPoolExecutor(2) as threads,
        ProcessPoolExecutor(1) as process,
        ProcessPoolExecutor(2) as processes,
    ):
        pairs = [(seconds(thread) / seconds(threads), seconds(process) / seconds(processes)) for _ in range(rounds)]
    ours, machine = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"\nJPEG → 720 × 588, rate of two threads over one: {ours:.2f} (target 1.85)")
    print(f"the same for two processes (what the machine can give meanwhile): {machine:.2f}")


def render_once(source: Path, _: int) -> None:
    """Renders one job in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        render(source, Task("", source, (720,), "jpeg").outputs(), Path(folder), LIMITS)


def print_machine(versions: dict[str, str]) -> None:
    """Prints the machine, its load and the versions."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    load = ", ".join(f"{load:.2f}" for load in os.getloadavg())
    print(f"{model}, {os.cpu_count()} cores, load {load}; Python {platform.python_version()}, Pillow {PIL.__version__}")
    print(f"sharp {versions['sharp']} (libvips {versions['vips']}), one thread, no cache\n")


def main() -> None:
    """Prints the machine, the table, the quality and the rates of threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, Sharp() as sharp:
        folders = (Path(temporary) / "ours", Path(temporary) / "sharp")
        for folder in folders:
            folder.mkdir()
        print_machine(sharp.versions)
        print("| task | QuickThumb | sharp | ratio | target | ratio of CPU times | bytes | sharp's bytes |")
        print("|" + "---|" * 8)
        for row in rows(arguments.corpus):
            print_row(row, compare(row, (Ours(), sharp), folders, arguments.rounds))
        print_quality(arguments.corpus, (Ours(), sharp), folders)
        print_threads(arguments.corpus, max(3, arguments.rounds // 3))


if __name__ == "__main__":
    main()
