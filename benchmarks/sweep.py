"""Renders every picture below some folders, beside sharp; prints how many look equal, and every one that does not.

    python -m benchmarks.sweep FOLDER … [--out FILE]

Made for the test suites of image libraries, which hold the oddest files there are. Each file is rendered at its own
size as PNG by both sides, and by the engine alone with every value of `metadata` into every format. Needs Node, and
`npm ci` in this folder. `--out` keeps a line of JSON for each file.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import get_args

from PIL import Image, ImageChops, ImageStat

from benchmarks.sides import Peer
from quickthumb.imaging.engine import render
from quickthumb.imaging.formats import FORMATS, WRITTEN
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output, parse_output

ENDINGS = {f".{extension}" for row in FORMATS for extension in row.extensions}
LIMITS = Limits(max_pixels=100_000_000)
SECONDS = 60
# Pictures whose samples differ by no more than this on average (of 255) look equal; codecs and resamplers round.
EQUAL_LEVELS = 1.5
METADATA = tuple(get_args(Output.model_fields["metadata"].annotation))


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one file. `ours` and `theirs` are "ok" or the reason; `levels` is the mean difference of their
    samples, None if there is nothing to compare; `unexpected` lists exceptions that are no answer to a user."""

    path: str
    ours: str
    theirs: str
    levels: float | None
    warnings: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def verdict(self) -> str:
        ours, theirs = self.ours == "ok", self.theirs == "ok"
        if ours and theirs:
            return "equal" if self.levels is not None and self.levels <= EQUAL_LEVELS else "different"
        return "only here" if ours else "only sharp" if theirs else "neither"


class Sharp(Peer):
    """sharp in a process that lives as long as the sweep."""

    def __init__(self) -> None:
        super().__init__("sweep.mjs", quiet=True)

    def run(self, source: Path, target: Path) -> str:
        """Renders a file; returns "ok" or why it could not."""
        return str(self.ask([str(source), str(target)]))


class Ours:
    """The engine in a process of its own, which is begun anew after a file that takes too long or ends it."""

    def __init__(self) -> None:
        self._pool = self._started()

    def run(self, source: Path, parameters: dict[str, str], folder: Path) -> tuple[str, tuple[str, ...], bool]:
        """Renders a file; returns "ok" or why it could not, the warnings, and whether the answer is one for users."""
        try:
            return self._pool.submit(render_once, source, parameters, folder).result(SECONDS)
        except (TimeoutError, BrokenProcessPool) as error:
            for process in multiprocessing.active_children():
                process.kill()
            self._pool.shutdown()
            self._pool = self._started()
            return type(error).__name__, (), False

    def close(self) -> None:
        self._pool.shutdown()

    @staticmethod
    def _started() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def render_once(source: Path, parameters: dict[str, str], folder: Path) -> tuple[str, tuple[str, ...], bool]:
    """Renders one file in this process, see `Ours.run`."""
    try:
        (made,) = render(source, [parse_output(parameters)], folder, LIMITS).made
    except QuickThumbError as error:
        return f"{error.code}: {error}", (), True
    except Exception as error:  # what users must never see is what this looks for
        return f"{type(error).__name__}: {error}", (), False
    return "ok", made.warnings, True


def sweep(paths: Sequence[Path]) -> Iterator[Found]:
    """Renders every file on both sides."""
    with closing(Ours()) as ours, Sharp() as sharp, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in paths:
            said, warnings, expected = ours.run(path, {"format": "png", "frames": "first", "name": "ours"}, folder)
            theirs = sharp.run(path, folder / "theirs.png")
            levels = difference(folder / "ours.png", folder / "theirs.png") if said == theirs == "ok" else None
            unexpected = [] if expected else [said]
            if said == "ok":
                unexpected += _with_metadata(ours, path, folder)
            yield Found(str(path), said, theirs, levels, warnings, tuple(unexpected))


def _with_metadata(ours: Ours, path: Path, folder: Path) -> list[str]:
    unexpected = []
    for metadata, written in product(METADATA, WRITTEN):
        parameters = {"metadata": metadata, "format": written, "width": "64", "frames": "first"}
        said, _, expected = ours.run(path, parameters, folder)
        if not expected:
            unexpected.append(f"metadata={metadata} format={written}: {said}")
    return unexpected


def difference(one: Path, other: Path) -> float | None:
    """The mean difference of all samples of two pictures, premultiplied, with alpha; None if their sizes differ."""
    with Image.open(one) as first, Image.open(other) as second:
        if first.size != second.size:
            return None
        pictures = [_plain(picture) for picture in (first, second)]
    return sum(ImageStat.Stat(ImageChops.difference(*pictures)).mean) / 4


def _plain(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        picture = picture.convert("I").point(lambda sample: sample * (1 / 257) + 0.5).convert("L")
    return Image.frombytes("RGBA", picture.size, picture.convert("RGBA").convert("RGBa").tobytes())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the sweep. Ends with 1 if any exception was no answer to a user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, help="file that gets a line of JSON for each picture")
    given = parser.parse_args(arguments)
    paths = sorted(path for folder in given.folders for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    counts: Counter[str] = Counter()
    unexpected: list[str] = []
    if given.out:
        given.out.write_text("")
    for found in sweep(paths):
        counts[found.verdict] += 1
        unexpected += [f"{found.path}: {said}" for said in found.unexpected]
        if given.out:
            with given.out.open("a") as out:
                out.write(json.dumps(asdict(found) | {"verdict": found.verdict}) + "\n")
        if found.verdict in ("different", "only sharp"):
            print(f"{found.verdict:<10} {found.path}  {found.levels}  {found.ours}  {'; '.join(found.warnings)}")
    print(f"{len(paths)} files: {', '.join(f'{count} {verdict}' for verdict, count in counts.most_common())}")
    print("\n".join([f"{len(unexpected)} unexpected exceptions", *unexpected]))
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
