"""Random sources and orders, and what rendering them takes in a process of its own."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from PIL import Image

from quickthumb.imaging.cost import Cost
from quickthumb.imaging.engine import render
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output, parse_output
from tests.imaging.conftest import LIMITS
from tests.imaging.pictures import noise

# Renders each order of the list, after one for the imports' sake, and prints its CPU seconds.
CHILD = """
import contextlib, json, resource, sys
from pathlib import Path
from quickthumb.imaging.engine import render
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.limits import Limits
from quickthumb.model.output import parse_output
folder, listed = Path(sys.argv[1]), json.loads(sys.stdin.read())
def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
for source, outputs in [listed[0], *listed]:
    began = used()
    with contextlib.suppress(InvalidParameter):  # max_bytes cannot always be kept
        render(Path(source), [parse_output(output) for output in outputs], folder, Limits())
    print(used() - began)
"""
FORMATS: dict[str, dict[str, Any]] = {
    "jpg": {"quality": 95},
    "progressive.jpg": {"progressive": True},
    "png": {},
    "webp": {"quality": 90},
    "avif": {"quality": 80, "speed": 10},
    "gif": {},
    "tiff": {"compression": "tiff_lzw"},
    "bmp": {},
}
OPAQUE = ("jpg", "progressive.jpg", "bmp", "gif")
ANIMATED = ("gif", "webp")
FRAMES = 6


class Appraised(Exception):
    """The engine has appraised a file, and is to do no more."""

    def __init__(self, needed_bytes: int, cost: Cost) -> None:
        self.found = needed_bytes, cost


def appraise(source: Path, outputs: Sequence[Output], limits: Limits) -> tuple[int, Cost]:
    """The memory in bytes and the cost that the engine expects after it has read a file's header."""

    def stop(needed_bytes: int, cost: Cost) -> NoReturn:
        raise Appraised(needed_bytes, cost)

    try:
        render(source, outputs, source.parent, limits, admit=stop)
    except Appraised as appraised:
        return appraised.found
    raise AssertionError


@dataclass(frozen=True)
class Order:
    """A source, the outputs wanted from it as a client gives them, and the outputs as they are read."""

    source: Path
    given: tuple[dict[str, Any], ...]

    @property
    def outputs(self) -> list[Output]:
        return [parse_output(output) for output in self.given]

    @property
    def estimated_seconds(self) -> float:
        return appraise(self.source, self.outputs, LIMITS)[1].seconds

    def __str__(self) -> str:
        return f"{self.source.name} {json.dumps(self.given)}"


def random_orders(seed: int, folder: Path) -> Iterator[Order]:
    """Orders without end, whose sources are in `folder`. The same seed gives the same ones."""
    chance = random.Random(seed)
    number = 0
    while True:
        number += 1
        source = _source(chance, folder, number)
        count = chance.choice((1, 1, 2, 4))
        yield Order(source, tuple({"name": f"o{place}", **_output(chance)} for place in range(count)))


def cpu_seconds(orders: Sequence[Order], folder: Path) -> list[float]:
    """The CPU time of rendering each order, in a child process."""
    listed = json.dumps([(str(order.source), order.given) for order in orders])
    command = [sys.executable, "-c", CHILD, str(folder)]
    ended = subprocess.run(command, input=listed, check=True, capture_output=True, text=True)
    return [float(line) for line in ended.stdout.split()][1:]


def _source(chance: random.Random, folder: Path, number: int) -> Path:
    kind = chance.choice(list(FORMATS))
    width, height = chance.randrange(64, 1200), chance.randrange(64, 1200)
    picture = _picture(chance, width, height)
    if kind not in OPAQUE and chance.random() < 0.3:
        picture.putalpha(noise(width, height, number).convert("L"))
    options = FORMATS[kind]
    if kind in ANIMATED and chance.random() < 0.4:
        small = picture.resize((width // 3, height // 3))
        turned = [small.rotate(10 * frame) for frame in range(1, FRAMES)]
        picture, options = small, {"save_all": True, "append_images": turned, "duration": 50}
    file = BytesIO()
    picture.save(file, Image.registered_extensions()[f".{kind.rpartition('.')[2]}"], **options)
    path = folder / f"{number}.{kind}"
    path.write_bytes(file.getvalue())
    return path


def _picture(chance: random.Random, width: int, height: int) -> Image.Image:
    """One color, clouds of colors, or pure noise."""
    kind = chance.choice(("plain", "clouds", "clouds", "noise"))
    if kind == "plain":
        return Image.new("RGB", (width, height), "red")
    if kind == "clouds":
        return noise(width, height, chance.randrange(100))
    samples = np.random.default_rng(chance.randrange(100)).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(samples)


def _output(chance: random.Random) -> dict[str, Any]:
    output: dict[str, Any] = {"format": chance.choice(("auto", "jpeg", "png", "webp", "avif", "gif"))}
    if chance.random() < 0.8:
        output |= {"width": chance.randrange(16, 1400), "enlarge": chance.random() < 0.5}
        if chance.random() < 0.4:
            output |= {"height": chance.randrange(16, 1400), "fit": chance.choice(("cover", "contain", "fill"))}
    lossy = output["format"] in ("jpeg", "webp", "avif")
    rare: tuple[tuple[float, bool, dict[str, Any]], ...] = (
        (0.3, lossy, {"quality": chance.randrange(1, 101)}),
        (0.2, lossy, {"max_bytes": chance.randrange(20_000, 200_000)}),
        (0.2, output["format"] == "webp", {"lossless": True}),
        (0.2, True, {"rotate": chance.choice((90, 180, 12.5, 45))}),
        (0.2, True, {"blur": chance.choice((1, 20, 200))}),
        (0.2, True, {"sharpen": 100}),
        (0.2, True, {"saturation": 2, "contrast": 1.5}),
        (0.1, True, {"grayscale": True}),
        (0.1, "height" in output, {"position": "smart"}),
    )
    for likely, possible, parameters in rare:
        if possible and chance.random() < likely:
            output |= parameters
    if output.get("lossless"):
        output = {name: value for name, value in output.items() if name not in ("quality", "max_bytes")}
    return output
