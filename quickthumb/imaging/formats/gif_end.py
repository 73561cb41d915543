"""GIFs that end too early: within a frame, whose pixels may all be there, or between two frames; or whose codes do."""

from __future__ import annotations

from typing import Any

from quickthumb.imaging.formats.gif_blocks import Where
from quickthumb.imaging.formats.recovery import Failed
from quickthumb.model.errors import BrokenImage


def judge(failed: Failed, frame_count: int) -> tuple[str, ...]:
    """What the receipt says of the end of a GIF; nothing if it is as it should be.

    Raises BrokenImage if frames or pixels are missing, unless they may be.
    """
    image: Any = failed.image
    where: Where | None = getattr(image, "ends_early", None)
    if where is None:
        # Codes may stop early in a file that is whole: then it is refused while it is decoded, unless it is filled.
        missing = failed.fills and not _decodes(failed, frame_count)
        return (f"The file is faulty: pixels of frame {frame_count} are missing.",) if missing else ()
    if where == "within a frame" and _decodes(failed, frame_count):
        return ("The end of the file is missing, but every pixel is there.",)
    if not failed.fills:
        raise BrokenImage("The image is damaged: the GIF ends too early.")
    if where == "within a frame":
        return (f"The file is cut off within frame {frame_count}.",)
    return (f"The file is cut off: of its frames, only the first {frame_count} are there.",)


def _decodes(failed: Failed, frame_count: int) -> bool:
    from quickthumb.imaging.gif_frames import GifAnimation

    return GifAnimation(failed.path, failed.image.size, frame_count).is_whole()
