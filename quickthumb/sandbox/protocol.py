"""The messages between a worker and its sandbox process: one request and one answer, as JSON."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from quickthumb.imaging.engine import Rendering
from quickthumb.model.errors import QuickThumbError, catalogue
from quickthumb.model.limits import Limits
from quickthumb.sandbox.errors import MemoryExceeded

# An answer takes a few lines per result; a longer one comes from a child that has gone wrong.
LONGEST_ANSWER_BYTES = 1024 * 1024
UNITS = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


class Confinement(BaseModel):
    """The limits of a child. The parent kills it after `wall_seconds`; a little later, the child ends by itself."""

    model_config = ConfigDict(frozen=True)

    parent_pid: int
    memory_bytes: int
    wall_seconds: float


class Request(BaseModel):
    """One image to render. `outputs` are serialized as in a job's record."""

    model_config = ConfigDict(frozen=True)

    source: Path
    folder: Path
    limits: Limits
    outputs: tuple[dict[str, Any], ...]
    keeps_label: bool = True


class Refusal(BaseModel):
    """An error from the catalogue, as data."""

    model_config = ConfigDict(frozen=True)

    code: str
    detail: str
    field: str | None = None

    @classmethod
    def of(cls, error: QuickThumbError) -> "Refusal":
        return cls(code=error.code, detail=error.detail, field=error.field)

    def error(self) -> QuickThumbError:
        """Rebuilds the error. Raises ValueError for a code that no permanent error of the catalogue has: a child that
        claims a transient one would have its image retried forever."""
        kind = next((kind for kind in catalogue() if kind.code == self.code and kind.permanent), None)
        if kind is None:
            raise ValueError(f"not an error that an image can be refused with: {self.code!r}")
        return kind(self.detail, field=self.field)


class Answer(BaseModel):
    """The child's answer: exactly one of the first three is set. With `machine_errno`, `needed_bytes` is that of the
    engine's NoRoom."""

    model_config = ConfigDict(frozen=True)

    rendering: Rendering | None = None
    refusal: Refusal | None = None
    machine_errno: int | None = None
    needed_bytes: int | None = None


def memory_exceeded(memory_bytes: int) -> MemoryExceeded:
    """The error for an image that needed more memory than it was allowed."""
    unit, name = next((unit for unit in UNITS if memory_bytes >= unit[0]), (1, "bytes"))
    return MemoryExceeded(f"Processing needed more than {memory_bytes / unit:.3g} {name} of memory.")
