"""Pictures of files that are cut off: what Pillow had decoded by then, without what is missing.

Pillow decodes rows into a picture whose samples are 0 at first, and so they stay where something is missing.
"""

import contextlib
from typing import Any

from quickthumb.imaging.formats.recovery import Failed, Recovered
from quickthumb.model.errors import BrokenImage

# What samples of 0 look like, by Pillow's modes.
_EMPTY = {
    "RGBA": "transparent",
    "LA": "transparent",
    "PA": "transparent",
    "P": "in the first color of its palette",
    "CMYK": "white",
}


def recover_part(failed: Failed) -> Recovered:
    """The picture as far as it was decoded when its file ended. Raises BrokenImage unless it may be filled."""
    image: Any = failed.image
    if not failed.fills or image._im is None:
        raise BrokenImage("The image is damaged and could not be decoded: its file is cut off or faulty.")
    if image.tile:
        image.tile = []
        with contextlib.suppress(Exception):  # reads on in a file that has no more to read
            image.load_end()
    told = f"The file is cut off or faulty: what is missing of the picture is {_empty(image)}."
    return Recovered(failed.image, (1.0, 1.0), (told,))


def _empty(image: Any) -> str:
    """What is missing of a picture looks like this."""
    key = image.info.get("transparency")
    stands_for_transparent = key == 0 or (isinstance(key, tuple) and not any(key))
    return "transparent" if stands_for_transparent else _EMPTY.get(image.mode, "black")
