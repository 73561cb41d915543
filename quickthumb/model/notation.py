"""The text forms of parameter values: positions, crops, colors and sizes.

Form fields, query parameters and command-line options can only carry text, so every value that is more than a number
has one canonical text form, to which this module normalises it. It knows neither Pillow nor pydantic, so that the web
process stays light.
"""

import re

# The named positions as x,y: where a box lies within its free space, from 0 (left, top) to 1 (right, bottom), as in CSS
# object-position.
ANCHORS = {
    "center": (0.5, 0.5),
    "top": (0.5, 0.0),
    "top-right": (1.0, 0.0),
    "right": (1.0, 0.5),
    "bottom-right": (1.0, 1.0),
    "bottom": (0.5, 1.0),
    "bottom-left": (0.0, 1.0),
    "left": (0.0, 0.5),
    "top-left": (0.0, 0.0),
}
SMART = "smart"

# The sixteen basic CSS colors, `grey` as another spelling of `gray`, and `transparent`.
COLORS = {
    "black": "#000000ff",
    "silver": "#c0c0c0ff",
    "gray": "#808080ff",
    "grey": "#808080ff",
    "white": "#ffffffff",
    "maroon": "#800000ff",
    "red": "#ff0000ff",
    "purple": "#800080ff",
    "fuchsia": "#ff00ffff",
    "green": "#008000ff",
    "lime": "#00ff00ff",
    "olive": "#808000ff",
    "yellow": "#ffff00ff",
    "navy": "#000080ff",
    "blue": "#0000ffff",
    "teal": "#008080ff",
    "aqua": "#00ffffff",
    "transparent": "#00000000",
}

_HEX = re.compile(r"[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8}")


def size(text: str) -> tuple[int, int]:
    """`128x128` as (width, height) in pixels. Raises ValueError with the reason."""
    width, times, height = text.strip().lower().partition("x")
    if not (times and _whole(width) and _whole(height)):
        raise ValueError("must look like 128x128")
    return int(width), int(height)


def position(value: object) -> str:
    """The canonical form of a position: a name such as `top-left`, `smart`, or `x,y` with both numbers in 0…1.

    `value` is text, or a pair of numbers. Raises ValueError with the reason.
    """
    text = _text(value).strip().lower()
    if "," in text:
        x, y = (_fraction(part) for part in _parts(text, 2, "x,y"))
        return f"{x:g},{y:g}"
    words = re.split(r"[\s_-]+", text)
    for name in ("-".join(words), "-".join(reversed(words))):
        if name in ANCHORS or name == SMART:
            return name
    raise ValueError(f"must be one of {', '.join(ANCHORS)}, {SMART}, or x,y in 0…1")


def anchor(text: str) -> tuple[float, float]:
    """The x,y of a position in canonical form. `smart`, which depends on the picture, counts as `center` here."""
    if "," in text:
        x, y = text.split(",")
        return float(x), float(y)
    return ANCHORS.get(text, ANCHORS["center"])


def crop(value: object) -> tuple[int, int, int, int]:
    """A crop as (x, y, width, height) in whole pixels, from `x,y,width,height` as text or a list.

    Width and height are at least 1. Raises ValueError with the reason.
    """
    parts = _parts(_text(value), 4, "x,y,width,height")
    if not all(_whole(part) for part in parts):
        raise ValueError("must be four whole numbers: x,y,width,height")
    x, y, width, height = (int(part) for part in parts)
    if not (width and height):
        raise ValueError("must be at least 1 pixel wide and high")
    return x, y, width, height


def color(value: object) -> str:
    """A color as `#rrggbbaa`, from CSS hexadecimal with or without the `#`, or from a basic CSS color name.

    Raises ValueError with the reason.
    """
    text = _text(value).strip().lower()
    if text in COLORS:
        return COLORS[text]
    digits = text.removeprefix("#")
    if not _HEX.fullmatch(digits):
        raise ValueError("must be a color such as #ff8800, #ff880080, white or transparent")
    if len(digits) < 6:
        digits = "".join(digit * 2 for digit in digits)
    return f"#{digits:f<8}"


def rgba(text: str) -> tuple[int, int, int, int]:
    """The red, green, blue and alpha of a color written as `#rrggbbaa`, each 0…255."""
    red, green, blue, alpha = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue, alpha


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(str(part) for part in value)
    return str(value)


def _parts(text: str, count: int, shape: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != count:
        raise ValueError(f"must look like {shape}")
    return parts


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def _fraction(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError("must be two numbers in 0…1: x,y")
    return number
