"""Pictures of files that are cut off: what Pillow had decoded by then, without what is missing.

Pillow decodes rows into a picture that is empty at first, so what is missing stays empty: transparent if the picture
has alpha, in its first color if it has a palette, and otherwise black.
"""

import contextlib
from typing import Any

from quickthumb.imaging.formats.recovery import Failed, Recovered
from quickthumb.model.errors import BrokenImage

_EMPTY = {"RGBA": "transparent", "LA": "transparent", "P": "in the first color of its palette"}


def recover_part(failed: Failed) -> Recovered:
    """The picture as far as it was decoded when its file ended. Raises BrokenImage unless it may be filled."""
    image: Any = failed.image
    if not failed.fills or image._im is None:
        raise BrokenImage("The image is damaged and could not be decoded: its file is cut off or faulty.")
    if image.tile:
        image.tile = []
        with contextlib.suppress(Exception):  # reads on in a file that has no more to read
            image.load_end()
    empty = "transparent" if "transparency" in image.info else _EMPTY.get(image.mode, "black")
    told = f"The file is cut off or faulty: what is missing of the picture is {empty}."
    return Recovered(failed.image, (1.0, 1.0), (told,))
