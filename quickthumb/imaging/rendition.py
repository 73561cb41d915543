"""One output being rendered: what was asked for, how to cut it from the source, and the pictures made so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image

from quickthumb.imaging import orientation
from quickthumb.imaging.color import Color
from quickthumb.imaging.decoders import check_pixels
from quickthumb.imaging.formats import WRITTEN, Encoder, Format
from quickthumb.imaging.geometry import Plan, plan, rotated_size
from quickthumb.imaging.hdr.hdr_file import Companion
from quickthumb.imaging.hdr.obstacles import obstacle
from quickthumb.imaging.orientation import UPRIGHT, Box, Size, Turn
from quickthumb.imaging.slant import Window, plan_window
from quickthumb.imaging.source import Source
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output


@dataclass(slots=True)
class Rendition:
    """An output, planned for one source. Each frame adds one entry to `pictures` and to `milliseconds`; encoding takes
    the pictures."""

    output: Output
    format: Format
    encoder: Encoder
    stored: Size  # size of the source as it is stored in the file
    upright: Size  # size after every turn that the source or the output asks for
    turn: Turn  # quarter turns and mirroring; for a slanted picture, only the source's own
    mirror: Turn  # for a slanted picture, the mirroring after the slant
    plan: Plan
    frame_count: int
    source_bytes: int = 0
    source_frames: int = 1
    from_palette: bool = False  # whether the source had a palette
    source_colors: int | None = None  # how many colors the source's palettes have, if it has some
    color: Color = field(default_factory=lambda: Color("RGB"))
    pictures: list[Image.Image] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    keeps_gain_map: bool = False
    gain_map: Companion | None = None  # once it is drawn

    @property
    def slanted(self) -> bool:
        """Whether the picture is rotated by anything other than a multiple of 90 degrees."""
        return self.output.rotate % 90 != 0

    @property
    def keeps_profile(self) -> bool:
        """Whether the result keeps the source's colors and profile."""
        wanted = self.output.metadata == "keep" or self.keeps_gain_map  # which is for the source's own colors
        return not self.slanted and self.color.keeps(wanted and self._profile_fits, self.encoder.profile)

    @property
    def _profile_fits(self) -> bool:
        """Whether the result will be gray if the profile is for gray, and in color if it is for color."""
        if self.color.is_for_gray:
            is_padded = self.plan.canvas != self.plan.size
            return self.color.mode == "L" and self.encoder.gray and not is_padded
        return self.color.mode != "L" and not self.output.grayscale

    def window(self, region: Box, size: Size) -> Window:
        """How to show `region` of a slanted picture at `size` pixels."""
        whole = self.turn.size(self.stored)
        return plan_window(whole, self.output.rotate, self.mirror, self.upright, region, size, self.plan.part)

    def aim(self, anchor: tuple[float, float]) -> None:
        """Plans again with the box at `anchor` instead of the output's position; sizes stay the same."""
        self.plan = plan(self.upright, self.output, anchor)


def plan_renditions(source: Source, outputs: Sequence[Output]) -> list[Rendition]:
    """A rendition for each output, in order.

    Raises InvalidParameter for an output that cannot be made from this source, and TooManyPixels for one too large.
    """
    names = [output.name for output in outputs]
    for name in names:
        if names.count(name) > 1:
            raise InvalidParameter(f"name must be unique, but {name} is given twice.", field="name")
    renditions = [_plan_rendition(source, output) for output in outputs]
    if len(renditions) > 1:
        _warn_of_twins(renditions)
    return renditions


def _plan_rendition(source: Source, output: Output) -> Rendition:
    mirror = orientation.mirroring(output.flip, output.flop)
    quarters = orientation.by_degrees(output.rotate)
    upright = source.upright
    if quarters is None:
        turn = source.turn
        upright = rotated_size(upright, output.rotate)
    else:
        turn, mirror = source.turn.then(quarters).then(mirror), UPRIGHT
        upright = quarters.size(upright)
    several = source.frame_count > 1 and output.frames == "all"
    transparent = source.has_alpha or quarters is None
    row, encoder = choose(output, source.format, transparent, several)
    count = source.frame_count if several and encoder.animation else 1
    rendition = Rendition(output, row, encoder, source.size, upright, turn, mirror, plan(upright, output), count)
    rendition.source_bytes, rendition.source_frames = source.bytes, source.frame_count
    rendition.from_palette = source.has_palette
    rendition.source_colors = source.composed.colors if source.composed else None
    if several and not encoder.animation:
        rendition.warnings.append(f"{row.name} holds no animation: the first of {source.frame_count} frames was used.")
    _check_size(rendition, source.limits)
    _warn_of_size(rendition)
    _decide_on_gain_map(rendition, source)
    return rendition


def choose(output: Output, source: Format, has_alpha: bool, animated: bool) -> tuple[Format, Encoder]:
    """The format of an output, and its encoder. An output that names a format gets that one.

    `auto` keeps a web format, unless the format cannot do what else is asked for: lossless encoding, or a quality that
    can be lowered for `max_bytes`. All other formats become jpeg, or webp where jpeg would lose something.
    """
    name = output.format if output.format != "auto" else _automatic(output, source, has_alpha, animated)
    row = WRITTEN[name]
    assert row.encoder is not None  # noqa: S101 - WRITTEN has only rows with an encoder
    return row, row.encoder


def _automatic(output: Output, source: Format, has_alpha: bool, animated: bool) -> str:
    substitute = "webp" if has_alpha or animated or output.lossless else "jpeg"
    if source.encoder is None:
        return substitute
    if output.lossless and not source.encoder.lossless:
        return "webp"
    return substitute if output.max_bytes is not None and source.encoder.quality is None else source.name


def _check_size(rendition: Rendition, limits: Limits) -> None:
    if max(rendition.plan.canvas) > rendition.encoder.max_side:
        raise InvalidParameter(
            f"{rendition.format.name} allows at most {rendition.encoder.max_side} pixels per side.", field="format"
        )
    for size in (rendition.plan.canvas, rendition.plan.size):
        check_pixels(*size, rendition.frame_count, limits)
    if rendition.slanted:
        check_pixels(*rendition.window(rendition.plan.region, rendition.plan.size).size, 1, limits)


def _warn_of_size(rendition: Rendition) -> None:
    output, made = rendition.output, rendition.plan.canvas
    if output.fit in ("cover", "fill") and made != (output.width, output.height):
        rendition.warnings.append(
            f"The source has too few pixels for {output.width}x{output.height}; the result is {made[0]}x{made[1]}."
        )


def _decide_on_gain_map(rendition: Rendition, source: Source) -> None:
    if source.gain_map is None:
        return
    mode, name = source.image.mode, rendition.format.name
    against = obstacle(source.gain_map, rendition.output, rendition.plan, name, source.size, mode)
    rendition.keeps_gain_map = not against
    rendition.warnings += [against] if against else []


def _warn_of_twins(renditions: Sequence[Rendition]) -> None:
    """Warns of each result that shows the same as an earlier one, mostly because the source is too small for both."""
    first: dict[tuple[object, ...], str] = {}
    for rendition in renditions:
        output, plan = rendition.output, rendition.plan
        twin = first.setdefault(_look(rendition), output.name)
        if twin != output.name:
            small = output.width is not None or output.height is not None
            small = small and plan.canvas[0] != output.width and plan.canvas[1] != output.height
            reason = ", because the source has too few pixels for more" if small else ""
            rendition.warnings.append(f"This result is the same as {twin}{reason}.")


def _look(rendition: Rendition) -> tuple[object, ...]:
    """Everything that decides what a result looks like; its name and its box do so only through the plan."""
    output, plan = rendition.output, rendition.plan
    boxless = {"name": "", "width": None, "height": None, "fit": "inside", "enlarge": False, "position": "center"}
    smart = output.position == "smart" and plan.region != plan.part
    return (plan, smart, rendition.format.name, output.model_copy(update={**boxless, "format": "auto"}))
