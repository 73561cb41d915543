"""What `quickthumb push` prints: a progress bar on a terminal, lines or JSON elsewhere, and a summary."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from quickthumb.cli.pushing.folder import PassedOver

if TYPE_CHECKING:
    from tqdm import tqdm


@dataclass(frozen=True, slots=True)
class Ending:
    """How an image ended: `done`, `kept` from an earlier run, or `failed` with a code and a reason.

    `files` are the results, below the folder of results.
    """

    path: str
    status: str
    job: str | None = None
    files: tuple[str, ...] = ()
    code: str | None = None
    reason: str | None = None


class Report:
    """Prints how each of `total` images ended, and at last what failed and what to do about it."""

    def __init__(self, total: int, passed_over: Sequence[PassedOver], *, as_json: bool) -> None:
        self._total = total
        self._passed_over = passed_over
        self._json = as_json
        self._counts: Counter[str] = Counter()
        self._failed: list[Ending] = []
        self._bar: tqdm[Any] | None = None

    @property
    def has_failures(self) -> bool:
        return bool(self._failed)

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=self._total, unit="image", dynamic_ncols=True, file=sys.stderr)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def ended(self, ending: Ending) -> None:
        self._counts[ending.status] += 1
        if ending.status == "failed":
            self._failed.append(ending)
        if self._bar is not None:
            self._bar.update()
        if self._json:
            facts = {name: getattr(ending, name) for name in Ending.__slots__}
            _print(json.dumps({name: value for name, value in facts.items() if value}))
        elif ending.status != "kept" and not (self._bar is not None and sys.stdout.isatty()):
            _print(_line(ending))

    def summarize(self) -> None:
        """Print what failed, what was passed over, and the numbers."""
        left = self._total - self._counts.total()
        if self._json:
            self._summarize_as_json(left)
            return
        if self._passed_over:
            _print("Passed over, not images:")
            for one in self._passed_over:
                _print(f"  {one.name}: {one.reason}")
        if self._failed:
            _print("Failed:")
            for ending in self._failed:
                _print(f"  {ending.path}: {ending.reason}")
        numbers = {
            "done": self._counts["done"],
            "done before": self._counts["kept"],
            "failed": self._counts["failed"],
            "not tried": left,
            "passed over": len(self._passed_over),
        }
        shown = [f"{number} {name}" for name, number in numbers.items() if number or name == "done"]
        _print(f"{', '.join(shown)}.")

    def _summarize_as_json(self, left: int) -> None:
        for one in self._passed_over:
            _print(json.dumps({"path": one.name, "status": "passed_over", "reason": one.reason}))
        numbers = {name: self._counts[name] for name in ("done", "kept", "failed")}
        summary = {**numbers, "not_tried": left, "passed_over": len(self._passed_over)}
        _print(json.dumps({"summary": summary}))


def advise(text: str) -> None:
    """Print a sentence for the user beside the report, which a program may be reading."""
    sys.stdout.flush()
    print(f"quickthumb: {_shown(text)}", file=sys.stderr, flush=True)


def _line(ending: Ending) -> str:
    if ending.status == "failed":
        return f"{ending.path}  failed  {ending.reason}"
    return f"{ending.path}  {ending.status}  {'  '.join(ending.files)}"


def _print(line: str) -> None:
    print(_shown(line), flush=True)


def _shown(text: str) -> str:
    """The text without characters that could steer a terminal, or that its encoding may lack a way to write."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
