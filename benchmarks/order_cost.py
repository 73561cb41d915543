"""Measures the CPU time of orders against the estimate that `quickthumb/imaging/cost.py` makes from its constants.

    python -m benchmarks.order_cost [--side 1000] [--random 100] [--seed 1]

First each kind of work by itself, for a picture of clouds and for one of noise, then random orders. Each line has
measured and estimated nanoseconds per pixel of the result, or seconds for random orders, and the measured share of the
estimate. Plain pictures take much less than the estimate; nothing may take more than three times as much.
"""

import argparse
import itertools
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.imaging.orders import FORMATS, Order, cpu_seconds, random_orders
from tests.imaging.pictures import noise

CONTENTS = ("clouds", "noise", "transparent")
ENCODINGS: tuple[dict[str, Any], ...] = (
    {"format": "jpeg"},
    {"format": "jpeg", "quality": 95},
    {"format": "png"},
    {"format": "gif"},
    {"format": "webp", "quality": 1},
    {"format": "webp"},
    {"format": "webp", "quality": 100},
    {"format": "webp", "lossless": True},
    {"format": "avif", "quality": 1},
    {"format": "avif"},
    {"format": "avif", "quality": 95},
    {"format": "jpeg", "max_bytes": 200_000},
    {"format": "webp", "max_bytes": 200_000},
)
STEPS: tuple[dict[str, Any], ...] = (
    {"blur": 5},
    {"sharpen": 100},
    {"saturation": 2, "contrast": 2},
    {"grayscale": True},
    {"rotate": 30, "width": 1000},
    {"size": "2000x2000", "enlarge": True},
)


def content(name: str, side: int) -> Image.Image:
    """A square picture that is hard to encode."""
    if name == "noise":
        return Image.fromarray(np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8))
    picture = noise(side, side)
    if name == "transparent":
        picture.putalpha(content("noise", side).convert("L"))
    return picture


def kinds_of_work(folder: Path, side: int) -> Iterator[tuple[str, Order]]:
    """A line's name and its order, for every encoding, step and decoder."""
    for name in CONTENTS:
        path = folder / f"{name}.png"
        content(name, side).save(path, compress_level=1)
        for output in ENCODINGS:
            yield f"{name}: {told(output)}", Order(path, (output,))
        for output in STEPS:
            yield f"{name}: {told(output)} as jpeg", Order(path, ({"format": "jpeg", **output},))
    for kind, options in FORMATS.items():
        path = folder / f"decoded.{kind}"
        content("noise", side).save(path, **options)
        # A side of more than a half: a JPEG is then decoded at full size.
        yield f"noise: decoding {kind}", Order(path, ({"width": side * 2 // 3, "format": "jpeg"},))


def told(output: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in output.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=1000)
    parser.add_argument("--random", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = list(kinds_of_work(folder, chosen.side))
        per_pixel = 1e9 / chosen.side**2
        for (words, order), seconds in zip(lines, cpu_seconds([order for _, order in lines], folder), strict=True):
            measured, estimated = seconds * per_pixel, order.estimated_seconds * per_pixel
            print(f"{words:>55}: {measured:6.0f} ns of {estimated:6.0f} ({measured / estimated:.2f})")
        orders = list(itertools.islice(random_orders(chosen.seed, folder), chosen.random))
        shares = []
        for order, seconds in zip(orders, cpu_seconds(orders, folder), strict=True):
            shares.append(seconds / order.estimated_seconds)
            print(f"{seconds:.3f} s of {order.estimated_seconds:.3f} ({shares[-1]:.2f}): {order}")
    print(f"random orders: at most {max(shares):.2f} of the estimate, median {statistics.median(shares):.2f}")


if __name__ == "__main__":
    main()
