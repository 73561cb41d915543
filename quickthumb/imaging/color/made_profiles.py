"""Makes ICC profiles (ICC.1:2022) of color spaces that a file describes in another way, for littleCMS to convert from
and for results that keep their colors."""

import struct
from collections.abc import Sequence

from quickthumb.imaging.color.spaces import D50, Curve, Space, colorants

_VERSION = 0x04300000
_HEAD_BYTES, _ENTRY_BYTES = 128, 12
_CHANNELS = ("r", "g", "b")
_PARAMETRIC = 3
_RIGHTS = "No copyright, use freely"


def make(space: Space, *, gray: bool) -> bytes:
    """The profile of a space; a `gray` one has only its curve."""
    curve = _curve(space.curve)
    if gray:
        return assemble(b"GRAY", space.name, {"kTRC": curve})
    tags: dict[str, bytes] = {}
    for channel, column in zip(_CHANNELS, zip(*colorants(space.primaries), strict=True), strict=True):
        tags |= {f"{channel}XYZ": _xyz(column), f"{channel}TRC": curve}
    return assemble(b"RGB ", space.name, tags)


def assemble(color_space: bytes, name: str, tags: dict[str, bytes]) -> bytes:
    """A profile with these tags: header (7.2), tag table (7.3) and the tags. Equal tags share their bytes."""
    tags = {"desc": _text(name), "cprt": _text(_RIGHTS), "wtpt": _xyz(D50), **tags}
    at = _HEAD_BYTES + 4 + _ENTRY_BYTES * len(tags)
    table, content, places = struct.pack(">I", len(tags)), b"", dict[bytes, int]()
    for name, tag in tags.items():
        if tag not in places:
            places[tag] = at + len(content)
            content += tag + bytes(-len(tag) % 4)
        table += struct.pack(">4sII", name.encode(), places[tag], len(tag))
    head = struct.pack(
        ">I4xI4s4s4s12x4s28x12s",
        at + len(content),
        _VERSION,
        b"mntr",
        color_space,
        b"XYZ ",
        b"acsp",
        _numbers(D50),
    )
    return head.ljust(_HEAD_BYTES, b"\0") + table + content


def _text(text: str) -> bytes:
    """A text in one language (10.15)."""
    encoded = text.encode("utf-16-be")
    return struct.pack(">4s4xII2s2sII", b"mluc", 1, 12, b"en", b"US", len(encoded), 28) + encoded


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + _numbers(values)


def _curve(curve: Curve | tuple[float, ...]) -> bytes:
    """A curve by its formula (10.18) or by its samples (10.6)."""
    if not isinstance(curve, Curve):
        return struct.pack(f">4s4xI{len(curve)}H", b"curv", len(curve), *(round(light * 65535) for light in curve))
    head = struct.pack(">4s4xH2x", b"para", _PARAMETRIC)
    return head + _numbers((curve.gamma, curve.a, curve.b, curve.c, curve.d))


def _numbers(values: Sequence[float]) -> bytes:
    """Numbers with sixteen bits before the point and sixteen after it (4.6)."""
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)
