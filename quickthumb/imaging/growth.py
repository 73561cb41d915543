"""Results that are larger than their source with no more pixels: written in a smaller way, or warned of."""

import math
from collections.abc import Callable, Iterator
from typing import BinaryIO

from quickthumb.imaging.rendition import Rendition
from quickthumb.imaging.scratch import length_of

# A result of so few bytes is small enough, whatever its source takes: flat pictures have sources of a hundred bytes.
SMALL_BYTES = 4096
# Smaller ways save a third at best, so they are not tried on a file that is larger by more than this factor.
HOPELESS = 1.5


def no_larger(file: BinaryIO, rendition: Rendition, others: Callable[[], Iterator[BinaryIO]]) -> BinaryIO:
    """The file; or if it has grown, the first of the others that has not. Makes none of the others needlessly, and
    closes all but the file that it returns."""
    made_bytes = length_of(file)
    if not _has_grown(rendition, made_bytes) or made_bytes > rendition.source_bytes * HOPELESS:
        return file
    try:
        for other in others():
            if not _has_grown(rendition, length_of(other)):
                file.close()
                return other
            other.close()
    except BaseException:
        file.close()
        raise
    return file


def warn_of(rendition: Rendition, made_bytes: int, quality: int | None) -> None:
    """Warns of a result that is still larger than its source."""
    if _has_grown(rendition, made_bytes):
        rendition.warnings.append(
            f"The result has {made_bytes} bytes, more than its source ({rendition.source_bytes}), "
            f"but no more pixels; {_advice(rendition, quality)}."
        )


def _has_grown(rendition: Rendition, made_bytes: int) -> bool:
    if made_bytes <= max(rendition.source_bytes, SMALL_BYTES):
        return False
    made = math.prod(rendition.plan.canvas) * rendition.frame_count
    return made <= math.prod(rendition.stored) * rendition.source_frames


def _advice(rendition: Rendition, quality: int | None) -> str:
    if quality is not None:
        return f"a quality below {quality} makes it smaller"
    if rendition.format.name == "webp":
        return "without lossless it is smaller"
    return "webp is usually smaller"
