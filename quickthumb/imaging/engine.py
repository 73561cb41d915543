"""From a source file to the files of its results, in one synchronous call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from quickthumb.imaging import colour, facts, metadata, pipeline, smart
from quickthumb.imaging.colour import Colour
from quickthumb.imaging.encode import encode
from quickthumb.imaging.facts import Facts
from quickthumb.imaging.levels import Levels, draft_scale
from quickthumb.imaging.source import Frame, Source, open_source
from quickthumb.imaging.task import Task, plan_tasks
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output


@dataclass(frozen=True, slots=True)
class Made:
    """One file that was made for one output, and its receipt.

    `quality` is the one it was written at, None where the format has none or it is lossless. `color` and `metadata`
    say in a few words what was done to them; `warnings` what was asked for, or was there, and is lost.
    """

    name: str
    filename: str
    format: str
    width: int
    height: int
    bytes: int
    frames: int
    quality: int | None
    color: str
    metadata: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rendering:
    """What came of one source: its facts, and a file for each output in the order asked for."""

    facts: Facts
    made: tuple[Made, ...]


def render(
    source: Path,
    outputs: Sequence[Output],
    folder: Path,
    limits: Limits,
    checkpoint: Callable[[], None] = lambda: None,
) -> Rendering:
    """Makes every output of `source` as a file in `folder`. The same source and outputs give the same bytes.

    Raises UnsupportedImage for what no allowed decoder knows, TooManyPixels and TooManyFrames before anything is
    decoded, BrokenImage for a file that does not decode to its end, and InvalidParameter for an output that cannot be
    made of this source. OSError and MemoryError are the machine's, and pass. Calls
    `checkpoint` at every step; what it raises ends the rendering and passes.
    """
    with open_source(source, limits) as opened:
        tasks = plan_tasks(opened, outputs)
        found = _draw(opened, tasks, checkpoint)
        return Rendering(found, tuple(_write(opened, task, folder, checkpoint) for task in tasks))


def _draw(source: Source, tasks: Sequence[Task], checkpoint: Callable[[], None]) -> Facts:
    """Makes the pictures of all tasks from one pass over the frames; those with the most pixels first."""
    largest_first = sorted(tasks, key=lambda task: task.plan.shrink)
    count = max(task.frame_count for task in tasks)
    found: Facts | None = None
    for index, frame in enumerate(source.frames(count, draft_scale([task.plan.shrink for task in tasks]))):
        levels = Levels(frame.level, source.size)
        if index == 0:
            _look(source, tasks, frame, levels)
        for task in largest_first:
            if index < task.frame_count:
                checkpoint()
                task.pictures.append(pipeline.run(levels, task))
                task.milliseconds.append(frame.milliseconds)
        found = found or facts.gather(source, levels, tasks[0].colour)
    assert found is not None  # noqa: S101 - there is always a first frame
    return found


def _look(source: Source, tasks: Sequence[Task], frame: Frame, levels: Levels) -> None:
    """Settles what only the first frame can tell: its colour and where the interesting parts are."""
    mode = frame.level.picture.mode
    if source.cielab:
        its_colour = Colour(mode, converted="CIELAB")
    else:
        its_colour = colour.read(source.info.get("icc_profile"), mode, source.limits)
    for task in tasks:
        task.colour = its_colour
        if task.output.fit == "cover" and task.output.position == "smart":
            _aim(task, levels)


def _aim(task: Task, levels: Levels) -> None:
    """Puts the box of a `cover` where the part that is most interesting is."""
    box = task.plan.part
    width, height = box[2] - box[0], box[3] - box[1]
    scale = min(1.0, smart.LOOK_PIXELS / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    stored = task.turn.source_box(box, task.upright)
    seen = task.turn.apply(levels.cut(stored, task.turn.size(size), stored))
    window = task.plan.region_size
    task.aim(smart.anchor(task.colour.to_srgb(seen), (window[0] / width, window[1] / height)))


def _write(source: Source, task: Task, folder: Path, checkpoint: Callable[[], None]) -> Made:
    checkpoint()
    options, what, lost = metadata.kept(source, task.output, task.format)
    file = encode(task, source.plays, options)
    filename = f"{task.output.name}.{task.format.extension}"
    (folder / filename).write_bytes(file.data)
    first: Image.Image = task.pictures[0]
    return Made(
        name=task.output.name,
        filename=filename,
        format=task.format.name,
        width=first.width,
        height=first.height,
        bytes=len(file.data),
        frames=file.frames,
        quality=file.quality,
        color=task.colour.done(task.keeps_profile),
        metadata=what,
        warnings=tuple(dict.fromkeys((*source.warnings, *task.colour.warnings, *task.warnings, *lost))),
    )
