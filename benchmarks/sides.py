"""The two sides of the comparison: the imaging engine in this process, and sharp in a Node process of its own."""

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from quickthumb.imaging.engine import render
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output

HERE = Path(__file__).parent
# Among the widths compared here, the engine optimizes the Huffman tables of JPEGs up to this one. Sharp is told to do
# the same.
OWN_TABLES_WIDTH = 320
LIMITS = Limits(max_pixels=200_000_000)


@dataclass(frozen=True, slots=True)
class Task:
    """The outputs of one source in one job. Only widths and formats, which mean the same on both sides.

    `quality` is for the formats that have one. `palette` tells sharp to write a PNG with a palette; QuickThumb does so
    by itself for a source that has one.
    """

    name: str
    source: Path
    widths: tuple[int, ...]
    format: str
    palette: bool = False
    quality: int = 80

    def outputs(self) -> list[Output]:
        quality = {"quality": self.quality} if self.format not in ("png", "gif") else {}
        return [
            Output.model_validate({"name": f"w{width}", "width": width, "format": self.format, **quality})
            for width in self.widths
        ]


@dataclass(frozen=True, slots=True)
class Spent:
    """The time that one run took."""

    wall_seconds: float
    cpu_seconds: float


class Side(Protocol):
    """Runs tasks and writes their files into a folder as w<width>.<extension of the format>."""

    def run(self, task: Task, folder: Path) -> Spent:
        """Runs the task once."""


class Ours:
    """The engine, called as the worker calls it, with facts and receipts."""

    def run(self, task: Task, folder: Path) -> Spent:
        outputs = task.outputs()
        cpu, start = time.process_time(), time.perf_counter()
        render(task.source, outputs, folder, LIMITS)
        return Spent(time.perf_counter() - start, time.process_time() - cpu)


class Peer:
    """A script for Node in this folder, in a process of its own: it answers each line of JSON with one.

    What a `quiet` one complains of is not shown.
    """

    def __init__(self, script: str, *, quiet: bool = False) -> None:
        self._script = script
        self._complaints = subprocess.DEVNULL if quiet else None

    def __enter__(self) -> Self:
        command = ["node", str(HERE / self._script)]
        self._process = subprocess.Popen(
            command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def ask(self, question: object) -> Any:
        """Sends a line and returns the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        """The next line that the script prints."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


class Sharp(Peer):
    """sharp with one thread and no cache, in a process that lives as long as the comparison."""

    def __init__(self) -> None:
        super().__init__("peer.mjs")

    def __enter__(self) -> Self:
        super().__enter__()
        self.versions: dict[str, str] = self.answer()
        return self

    def run(self, task: Task, folder: Path) -> Spent:
        extension = {"jpeg": "jpg"}.get(task.format, task.format)
        outputs: Sequence[dict[str, object]] = [
            {
                "source": str(task.source),
                "width": width,
                "format": task.format,
                "palette": task.palette,
                "quality": task.quality,
                "optimise": width <= OWN_TABLES_WIDTH,
                "target": str(folder / f"w{width}.{extension}"),
            }
            for width in task.widths
        ]
        return Spent(**self.ask(outputs))
