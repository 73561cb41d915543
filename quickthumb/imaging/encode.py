"""Encodes the pictures of an output into its file."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from typing import BinaryIO

from PIL import Image

from quickthumb.imaging import growth
from quickthumb.imaging.formats.row import Asked, Encoder, Options
from quickthumb.imaging.hdr.hdr_file import NoRoomForClaims
from quickthumb.imaging.hdr.obstacles import TOO_LARGE, TOO_MUCH_METADATA
from quickthumb.imaging.rendition import Rendition
from quickthumb.imaging.scratch import length_of, scratch
from quickthumb.model.errors import InvalidParameter

# The quality that `max_bytes` tries first if none is given; above it, files grow without visible gain.
_BEST_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded file: its content, at its start, for the caller to read and close; its size in bytes, the quality it
    was encoded at (None if there is none), its number of frames, and whether its metadata could be written."""

    content: BinaryIO
    bytes: int
    quality: int | None
    frames: int
    has_metadata: bool = True


def encode(rendition: Rendition, plays: int, metadata: Options, checkpoint: Callable[[], None]) -> Encoded:
    """Encodes an output; its animation is shown `plays` times (0: forever).

    Takes the pictures of the rendition and its gain map, so that each is freed as soon as possible. Calls `checkpoint`
    before each encoding; `max_bytes` takes several. Raises InvalidParameter if not even the lowest quality fits into
    `max_bytes`. Metadata that the encoder refuses is left out, with a warning.
    """
    frames, options = _prepared(rendition, plays, checkpoint)
    ways = _ways(frames, rendition)
    usual = next(ways)
    written = dict(metadata)

    def save(quality: int | None, way: tuple[list[Image.Image], Options] = usual) -> BinaryIO:
        checkpoint()
        made = _save_with(written, way[0], rendition, quality, {**options, **way[1]})
        return _with_gain_map(made, rendition)

    def others(quality: int | None) -> Iterator[BinaryIO]:
        return (save(quality, way) for way in ways)

    try:
        file, quality = _saved(save, others, rendition)
    except (InvalidParameter, NoRoomForClaims) as error:
        if rendition.gain_map is None:
            raise
        rendition.gain_map = None
        rendition.warnings.append(TOO_LARGE if isinstance(error, InvalidParameter) else TOO_MUCH_METADATA)
        file, quality = _saved(save, others, rendition)
    rendition.gain_map = None
    return Encoded(file, length_of(file), quality, _count_frames(file, rendition), written == metadata)


def _saved(
    save: Callable[[int | None], BinaryIO], others: Callable[[int | None], Iterator[BinaryIO]], rendition: Rendition
) -> tuple[BinaryIO, int | None]:
    """The file, and its quality. `others` makes it in other ways, which may be smaller."""
    output = rendition.output
    if output.max_bytes is not None:
        return _fit(save, output.quality or _BEST_QUALITY, output.max_bytes)
    quality = _quality(rendition)
    file = growth.no_larger(save(quality), rendition, partial(others, quality))
    growth.warn_of(rendition, length_of(file), quality)
    return file, quality


def _with_gain_map(file: BinaryIO, rendition: Rendition) -> BinaryIO:
    """The file with the rendition's gain map, if it has one; closes the file that it takes the place of."""
    if rendition.gain_map is None:
        return file
    with file:
        whole = scratch()
        try:
            rendition.gain_map.join(file, whole)
            whole.seek(0)
        except BaseException:
            whole.close()
            raise
    return whole


def _ways(frames: list[Image.Image], rendition: Rendition) -> Iterator[tuple[list[Image.Image], Options]]:
    find = rendition.encoder.ways
    return find(frames, _asked(frames, rendition, None)) if find else iter([(frames, {})])


def _asked(frames: list[Image.Image], rendition: Rendition, quality: int | None) -> Asked:
    output, pixels = rendition.output, math.prod(frames[0].size)
    return Asked(quality, output.lossless, pixels, rendition.from_palette, rendition.keeps_profile)


def _quality(rendition: Rendition) -> int | None:
    if rendition.encoder.quality is None:
        if rendition.output.quality is not None:
            rendition.warnings.append(f"quality has no meaning for {rendition.format.name} and was ignored.")
        return None
    return None if rendition.output.lossless else rendition.output.quality or rendition.encoder.quality


def _count_frames(file: BinaryIO, rendition: Rendition) -> int:
    """The number of frames in a file, which can be smaller than that of the pictures: encoders merge equal frames."""
    if rendition.frame_count == 1:
        return 1
    with Image.open(file, formats=[rendition.encoder.pillow]) as image:
        count: int = getattr(image, "n_frames", 1)
    file.seek(0)
    return count


def _prepared(rendition: Rendition, plays: int, checkpoint: Callable[[], None]) -> tuple[list[Image.Image], Options]:
    """The frames in the form that the encoder takes, and the options that do not depend on the quality."""
    encoder = rendition.encoder
    frames, rendition.pictures = _alike(rendition.pictures), []
    options = _profile(rendition)
    frames, milliseconds = _merged(frames, rendition.milliseconds)
    if encoder.prepare:
        encoder.prepare(frames, rendition.output.dither, rendition.source_colors, checkpoint)
        frames, milliseconds = _merged(frames, milliseconds)
    if len(frames) > 1:  # if all frames are equal, one is left, and encoders take no animation options for it
        options |= _animation(rendition, plays, milliseconds)
    for frame in frames:
        frame.info = {key: value for key, value in frame.info.items() if key == "transparency" and frame.mode == "P"}
    return frames, options


def _save_with(
    metadata: Options, frames: list[Image.Image], rendition: Rendition, quality: int | None, options: Options
) -> BinaryIO:
    """Saves with metadata; empties it if the encoder refuses it, with a warning."""
    try:
        return _save(frames, rendition, quality, {**metadata, **options})
    except MemoryError:
        raise
    except Exception as error:  # encoders raise nearly anything, too
        if not metadata or (isinstance(error, OSError) and error.errno is not None):
            raise
    metadata.clear()
    rendition.warnings.append("The metadata could not be written and was left out.")
    return _save(frames, rendition, quality, options)


def _save(frames: list[Image.Image], rendition: Rendition, quality: int | None, options: Options) -> BinaryIO:
    encoder = rendition.encoder
    asked = _asked(frames, rendition, quality)
    options = {**options, **encoder.options(asked)}
    file = scratch(asked.pixels if len(frames) == 1 else None)
    try:
        if len(frames) == 1:
            frames[0].save(file, encoder.pillow, **options)
        elif encoder.write:
            encoder.write(frames, options["duration"], options.get("loop"), file)
        else:
            frames[0].save(file, encoder.pillow, **options, save_all=True, append_images=frames[1:])
            if encoder.finish_animation:
                encoder.finish_animation(file, frames)
        file.seek(0)
        if encoder.finish:
            encoder.finish(file, options)
    except BaseException:
        file.close()
        raise
    return file


def _fit(save: Callable[[int | None], BinaryIO], best: int, most: int) -> tuple[BinaryIO, int | None]:
    """Finds the best quality in 1…`best` whose file has at most `most` bytes, by bisection. Keeps one file at a time,
    beside the one that is being made."""
    with ExitStack() as kept:
        found: tuple[BinaryIO, int] | None = None
        low, high, quality, length = 1, best, best, 0
        while low <= high:
            file = save(quality)
            length = length_of(file)
            if length <= most:
                kept.close()
                found, low = (kept.enter_context(file), quality), quality + 1
            else:
                file.close()
                high = quality - 1
            quality = (low + high) // 2
        if found is None:
            raise InvalidParameter(f"max_bytes: even the lowest quality needs {length} bytes.", field="max_bytes")
        kept.pop_all()
        return found


def _profile(rendition: Rendition) -> Options:
    return {"icc_profile": rendition.color.profile} if rendition.keeps_profile else {}


def _alike(pictures: list[Image.Image]) -> list[Image.Image]:
    """Converts the pictures to one mode: the widest that any of them needs."""
    modes = {picture.mode for picture in pictures}
    mode = "RGBA" if "RGBA" in modes else "RGB"
    for index, picture in enumerate(pictures):
        if len(modes) > 1 and picture.mode != mode:
            pictures[index] = picture.convert(mode)
    return pictures


def _merged(frames: list[Image.Image], milliseconds: list[float]) -> tuple[list[Image.Image], list[float]]:
    """Merges runs of equal frames into one that is shown as long: encoders would do the same, but not report it."""
    kept, shown = [frames[0]], [milliseconds[0]]
    for (before, frame), duration in zip(pairwise(frames), milliseconds[1:], strict=True):
        if frame.tobytes() == before.tobytes():  # frames with palettes all have the same
            shown[-1] += duration
        else:
            kept.append(frame)
            shown.append(duration)
    return kept, shown


def _animation(rendition: Rendition, plays: int, milliseconds: list[float]) -> Options:
    encoder = rendition.encoder
    options: Options = {"duration": _durations(milliseconds, encoder)}
    if encoder.loop is not None:
        loop = encoder.loop(plays)
        return options if loop is None else {**options, "loop": loop}
    if plays:
        name = rendition.format.name
        rendition.warnings.append(f"An animated {name} repeats forever; the source's loop count ({plays}) is lost.")
    return options


def _durations(milliseconds: list[float], encoder: Encoder) -> list[int]:
    """Durations that the encoder can write, in milliseconds: in its finest unit that holds the longest of them, or as
    much as the coarsest holds."""
    ticks, most = encoder.ticks_milliseconds, encoder.most_ticks
    tick = next((tick for tick in ticks if max(milliseconds) <= tick * most), ticks[-1])
    return _in_ticks([min(duration, tick * most) for duration in milliseconds], tick, encoder.least_ticks)


def _in_ticks(milliseconds: list[float], tick: int, least: int) -> list[int]:
    """Durations in whole ticks, at least `least`, rounded so that no frame ever starts more than half a tick off, but
    for frames that are too short."""
    ends = [0]
    for end in accumulate(milliseconds):
        ends.append(max(ends[-1] + least, round(end / tick)))
    return [(end - start) * tick for start, end in pairwise(ends)]
