"""GIFs that end too early: within a frame, whose pixels may all be there, or between two frames."""

from __future__ import annotations

from typing import Any, Literal

from quickthumb.imaging.formats.recovery import Failed
from quickthumb.model.errors import BrokenImage

Where = Literal["within a frame", "between frames"]


def judge(failed: Failed, frame_count: int) -> tuple[str, ...]:
    """What the receipt says of the end of a GIF; nothing if it is as it should be.

    Raises BrokenImage if frames or pixels are missing, unless they may be.
    """
    image: Any = failed.image
    where: Where | None = getattr(image, "ends_early", None)
    if where is None:
        return ()
    if where == "within a frame" and _decodes(failed, frame_count - 1):
        return ("The end of the file is missing, but every pixel is there.",)
    if not failed.fills:
        raise BrokenImage("The image is damaged: the GIF ends too early.")
    if where == "within a frame":
        return (f"The file is cut off within frame {frame_count}.",)
    return (f"The file is cut off: of its frames, only the first {frame_count} are there.",)


def _decodes(failed: Failed, frame: int) -> bool:
    from PIL import GifImagePlugin

    try:
        with failed.path.open("rb") as file:
            image = GifImagePlugin.GifImageFile(file)
            image.seek(frame)
            image.load()
    except (OSError, EOFError, ValueError, SyntaxError, IndexError):
        return False
    return True
