"""Renders a source file into the files of its results, in one synchronous call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from quickthumb.imaging import color, facts, pipeline, smart
from quickthumb.imaging.color import Color
from quickthumb.imaging.cost import Cost, appraise, check_source
from quickthumb.imaging.encode import encode
from quickthumb.imaging.facts import Facts
from quickthumb.imaging.files import ResultFiles
from quickthumb.imaging.formats import Format
from quickthumb.imaging.hdr import companion
from quickthumb.imaging.levels import Levels, draft_scale
from quickthumb.imaging.metadata import Keeper
from quickthumb.imaging.rendition import Rendition, plan_renditions
from quickthumb.imaging.source import Frame, Source, open_source
from quickthumb.imaging.steps import resize
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output


@dataclass(frozen=True, slots=True)
class Made:
    """One file that was made for one output, and its receipt.

    `quality` is the one the file was encoded at; None if the format has none or the file is lossless. `color` and
    `metadata` say in a few words what was done to them. `warnings` say what the result lacks although the output asked
    for it or the source had it.
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
    """The result of rendering one source: its facts, and a file for each output in the order of the request."""

    facts: Facts
    made: tuple[Made, ...]


# Told the memory in bytes and the cost that a rendering will take; raises if it may not go on.
Admit = Callable[[int, Cost], None]


# Told of each result as soon as its file is written.
Tell = Callable[[Made], None]


def tell_nobody(made: Made) -> None:
    """For a rendering whose results count only once all are there."""


def never_stop() -> None:
    """A checkpoint that never stops the rendering."""


def render(
    source: Path,
    outputs: Sequence[Output],
    folder: Path,
    limits: Limits,
    checkpoint: Callable[[], None] = never_stop,
    *,
    keeps_label: bool = True,
    admit: Admit | None = None,
    tell: Tell = tell_nobody,
) -> Rendering:
    """Makes every output of `source` as a file in `folder`. The same source and outputs give the same bytes.

    With `keeps_label`, the label of generated pictures stays in results that keep no other metadata.

    Raises UnsupportedImage for a file that no allowed decoder knows, TooManyPixels, TooManyFrames, TooManyParts and
    OrderTooLarge before anything too large is decoded or drawn, BrokenImage for a file that does not decode to its end,
    InvalidParameter for an output that cannot be made from this source, and ResultsTooLarge. OSError and MemoryError
    that the machine causes pass unchanged, and NoRoom is raised before the disk is full.

    Calls `checkpoint` in this thread before each frame is decoded, each step of an output's pipeline and each encoding.
    `checkpoint` stops the rendering by raising: its exception leaves `render` unchanged, and files that are complete by
    then stay in `folder`. Calls `admit`, which may raise in the same way, once the header has been read and before
    anything is decoded. Calls `tell` in this thread, which must be quick, for each result that is complete.
    """
    files = ResultFiles(folder, limits)
    fills = all(output.truncated == "fill" for output in outputs)

    def look(image: Image.Image, row: Format, frames: int) -> None:
        if admit is not None:
            admit(*appraise(image, row, source, outputs, frames))

    with open_source(source, limits, fills=fills, look=look) as opened:
        renditions = plan_renditions(opened, outputs)
        check_source(opened, outputs)
        found, made = _make(opened, renditions, Keeper(opened, keeps_label=keeps_label), files, checkpoint, tell)
        return Rendering(found, tuple(made[output.name] for output in outputs))


def _make(
    source: Source,
    renditions: Sequence[Rendition],
    keeper: Keeper,
    files: ResultFiles,
    checkpoint: Callable[[], None],
    tell: Tell,
) -> tuple[Facts, dict[str, Made]]:
    """Makes all renditions in one pass over the frames; those that shrink least come first.

    Each is written and freed as soon as its last picture is drawn, so that the pictures of two results are never in
    memory together, except for those of animations.
    """
    largest_first = sorted(renditions, key=lambda rendition: rendition.plan.shrink)
    count = max(rendition.frame_count for rendition in renditions)
    draft = draft_scale([rendition.plan.shrink for rendition in renditions], source.size)
    found: Facts | None = None
    made: dict[str, Made] = {}
    for index, frame in enumerate(source.frames(count, draft, checkpoint)):
        levels = Levels(frame.level, source.size)
        if index == 0:
            _look(source, renditions, frame, levels)
        for rendition in largest_first:
            if index < rendition.frame_count:
                rendition.pictures.append(pipeline.run(levels, rendition, checkpoint))
                rendition.milliseconds.append(frame.milliseconds)
            if index == rendition.frame_count - 1:
                made[rendition.output.name] = _write(source, rendition, keeper, files, checkpoint)
                tell(made[rendition.output.name])
        found = found or facts.gather(source, levels, renditions[0].color, keeper.provenance)
        del frame, levels  # before the next frame is decoded
    assert found is not None  # noqa: S101 - there is always a first frame
    return found, made


def _look(source: Source, renditions: Sequence[Rendition], frame: Frame, levels: Levels) -> None:
    """Sets what only the first frame can tell: the color, and where `position=smart` cuts."""
    mode = frame.level.picture.mode
    if source.color_space:
        its_color = Color(mode, converted=source.color_space)
    else:
        its_color = color.read(source.info, source.code_points, mode, source.limits)
    for rendition in renditions:
        rendition.color = its_color
        if rendition.output.fit == "cover" and rendition.output.position == "smart":
            _aim(rendition, levels)


def _aim(rendition: Rendition, levels: Levels) -> None:
    """Moves the box of a `cover` to the most interesting part."""
    part = rendition.plan.part
    width, height = part[2] - part[0], part[3] - part[1]
    scale = min(1.0, smart.LOOK_PIXELS / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    seen = resize.cut_region(levels, rendition, part, size)
    window = rendition.plan.region_size
    if not rendition.slanted:
        seen = rendition.color.to_srgb(seen)
    rendition.aim(smart.anchor(seen, (window[0] / width, window[1] / height)))


def _draw_gain_map(source: Source, rendition: Rendition, checkpoint: Callable[[], None]) -> None:
    if rendition.keeps_gain_map and source.gain_map and source.gain_map.spot:
        try:
            rendition.gain_map = companion.draw(source.gain_map.spot, rendition, source.limits, checkpoint)
        except companion.CannotKeep as warning:
            rendition.warnings.append(str(warning))


def _write(
    source: Source, rendition: Rendition, keeper: Keeper, files: ResultFiles, checkpoint: Callable[[], None]
) -> Made:
    kept = keeper.keep(rendition)
    _draw_gain_map(source, rendition, checkpoint)
    filename = f"{rendition.output.name}.{rendition.format.extension}"
    width, height = rendition.pictures[0].size
    file = encode(rendition, source.plays, kept.options, checkpoint)
    with file.content as content:
        files.write(rendition.output.name, filename, content, file.bytes)
    return Made(
        name=rendition.output.name,
        filename=filename,
        format=rendition.format.name,
        width=width,
        height=height,
        bytes=file.bytes,
        frames=file.frames,
        quality=file.quality,
        color=rendition.color.done(rendition.keeps_profile),
        metadata=kept.words if file.has_metadata else "none could be kept",
        warnings=tuple(
            dict.fromkeys((*source.warnings, *rendition.color.warnings, *rendition.warnings, *kept.warnings))
        ),
    )
