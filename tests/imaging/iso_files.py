"""AVIF and HEIF files put together from coded pictures.

No encoder of HEVC may be installed where tests run, so its coded pictures are here: made with x265 from pictures of our
own (`pictures.quadrants`).
"""

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass

SIZE = (96, 64)
TILE_SIDE = 512
HEIC, AVIF = (b"heic", b"mif1"), (b"avif", b"mif1", b"miaf")
ESSENTIAL = (b"hvcC", b"av1C", b"irot", b"imir", b"clap")
ALPHA_NAME = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


@dataclass(frozen=True, slots=True)
class Part:
    """One item: its kind, data, properties (boxes), and the items that it refers to, counted from 1."""

    kind: bytes
    data: bytes
    properties: tuple[bytes, ...] = ()
    made_of: tuple[int, ...] = ()
    belongs_to: tuple[int, ...] = ()
    shows_small: tuple[int, ...] = ()
    describes: tuple[int, ...] = ()
    multiplied_by: tuple[int, ...] = ()

    def references(self, number: int) -> bytes:
        kinds = {
            b"prem": self.multiplied_by,
            b"dimg": self.made_of,
            b"auxl": self.belongs_to,
            b"thmb": self.shows_small,
            b"cdsc": self.describes,
        }
        return b"".join(
            box(kind, struct.pack(f">HH{len(others)}H", number, len(others), *others))
            for kind, others in kinds.items()
            if others
        )


def iso_file(parts: Sequence[Part], brands: Sequence[bytes] = HEIC, primary: int = 1, extra: bytes = b"") -> bytes:
    """A file of these items. `extra` comes before the data."""
    shared = list(dict.fromkeys(one for part in parts for one in part.properties))
    numbered = [(number, part) for number, part in enumerate(parts, 1)]
    used = b"".join(
        struct.pack(">HB", number, len(part.properties))
        + bytes(1 + shared.index(one) | 0x80 * (one[4:8] in ESSENTIAL) for one in part.properties)
        for number, part in numbered
    )
    tiles = {tile for part in parts for tile in part.made_of}
    infos = [
        box(b"infe", struct.pack(">IHH", 2 << 24 | (number in tiles), number, 0), part.kind, b"\0")  # hidden
        for number, part in numbered
    ]
    told = b"".join(part.references(number) for number, part in numbered)

    def whole(start: int) -> bytes:
        places = b""
        for number, part in numbered:
            places += struct.pack(">HHHHII", number, 0, 0, 1, start, len(part.data))
            start += len(part.data)
        meta = box(
            b"meta",
            bytes(4),
            box(b"hdlr", bytes(8), b"pict", bytes(13)),
            box(b"pitm", bytes(4), struct.pack(">H", primary)),
            box(b"iloc", struct.pack(">IHH", 1 << 24, 0x4400, len(parts)), places),
            box(b"iinf", bytes(4), struct.pack(">H", len(parts)), *infos),
            box(b"iref", bytes(4), told) if told else b"",
            box(b"iprp", box(b"ipco", *shared), box(b"ipma", bytes(4), struct.pack(">I", len(parts)), used)),
        )
        data = b"".join(part.data for part in parts)
        return box(b"ftyp", brands[0], bytes(4), *brands) + meta + extra + box(b"mdat", data)

    return whole(len(whole(0)) - sum(len(part.data) for part in parts))


def ispe(width: int, height: int) -> bytes:
    return box(b"ispe", struct.pack(">III", 0, width, height))


def irot(quarters: int) -> bytes:
    """Turns counterclockwise."""
    return box(b"irot", bytes([quarters]))


def imir(axis: int) -> bytes:
    """Mirrors top to bottom (0) or left to right (1)."""
    return box(b"imir", bytes([axis]))


def clap(left: int, top: int, right: int, bottom: int, size: tuple[int, int]) -> bytes:
    """Shows that part of a picture of `size`."""
    offsets = (left + right - size[0], 2, top + bottom - size[1], 2)
    return box(b"clap", struct.pack(">IIIIiIiI", right - left, 1, bottom - top, 1, *offsets))


def grid(columns: int, rows: int, size: tuple[int, int], first: int = 2, *properties: bytes) -> Part:
    """A picture of `size` made of tiles, whose items have the numbers from `first`."""
    tiles = tuple(range(first, first + columns * rows))
    data = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)
    return Part(b"grid", data, (ispe(*size), *properties), made_of=tiles)


def hevc(coded: tuple[bytes, bytes], size: tuple[int, int] = SIZE, *properties: bytes) -> Part:
    return Part(b"hvc1", coded[1], (coded[0], ispe(*size), *properties))


def alpha_of(*items: int, size: tuple[int, int] = SIZE) -> Part:
    """The transparency of other items."""
    return Part(b"hvc1", ALPHA[1], (ALPHA[0], ispe(*size), box(b"auxC", bytes(4), ALPHA_NAME)), belongs_to=items)


def av1(still: bytes, size: tuple[int, int], *properties: bytes) -> Part:
    """The coded picture of an AVIF of Pillow's, which has one item."""
    data = still[still.index(b"mdat") + 4 :]
    return Part(b"av01", data, (box_of(still, b"av1C"), ispe(*size), box_of(still, b"pixi"), *properties))


def box_of(still: bytes, kind: bytes) -> bytes:
    place = still.index(kind) - 4
    return still[place : place + int.from_bytes(still[place : place + 4], "big")]


def _coded(configuration: str, data: str) -> tuple[bytes, bytes]:
    """The property `hvcC` of a coded picture, and its data."""
    return box(b"hvcC", base64.b64decode(configuration)), base64.b64decode(data)


# The picture `quadrants(96, 64)`, unsubsampled.
COLOR = _coded(
    "AQQIAAAAnjgAAAAAHvAA/P/4+AAADwNgAAEAF0ABDAH//wQIAAADAJ44AAADAAAeugJAYQABACpCAQEECAAAAwCeOAAAAwAAHpAGECCy3U"
    "klNc3AQ0GBAAADABkAAAMAAQhiAAEACEQBwXKGDAIk",
    "AAAA+SgBrwR465kAxJuP+8w9//+y2fsv8mH8n6s2N/bD///fyR//yJEwpm5jyccTkHTWOM8TPdGsPE/sTRgacHCe2xA4No61XvSxt1VuBz"
    "0BvldY7EvvNYPACGrRgMJOPN7yg2ZWWIszF1Wj49dcXfN1ODQ8f5U2cP/ZbP//zcgotR7iSHwVAAAJj4Lm+AAAAwAABQyAAAADAAADAAAD"
    "ADvIAAF+rJ/LwUv+lWE4RiCgAALEigAGxZgAAAMAAAMC3/AAAAMAAAMAAAMABQTAAIkIfzPmg/9Q6vX8cZ/SJ/1RzMa+CUIl5Je+QaV6E/"
    "A3dRJyXd9LcT7vqaclLA==",
)
# Its left half transparent: a gray picture of 96 × 64.
ALPHA = _coded(
    "AQQIAAAAn/gAAAAAHvAA/Pz4+AAADwNgAAEAF0ABDAH//wQIAAADAJ/4AAADAAAeugJAYQABACZCAQEECAAAAwCf+AAAAwAAHsDCBBZbqS"
    "SmubAgAAADAyAAAAMAIWIAAQAHRAHBcrAiQA==",
    "AAAA4SgBrgxw8KLGfC/8JbWhVDr/Jd03jou2V+ptNnVl43DhO8Qt6qc/C5aiOyFOIW3gWW4J8EcNtWpPQanXPnujUGpIdep75z/5oIw6Ho"
    "z33Guyje/f0MWfWW6NT3nUkOxMq82DMSiLdAZ++ghlF/aZVKnm2ryijzgwT6Z4yuJtLx9TvqeEMuQ1FPFx3Z7/r/mo2vkfzLzLjP/vQAHf"
    "G54v4Ss8YlivrSDqxPF7FtZqqaZbGmAp/FWA0r3ImCf5EkQwpLyoda+zGzFMXPgBxGhGOkcgiAjR+qJ5yYo8pS5vTGoyOA==",
)
# The same as COLOR with 10 and with 12 bits.
TEN = _coded(
    "AQQIAAAAnDgAAAAAHvAA/P/6+gAADwNgAAEAF0ABDAH//wQIAAADAJw4AAADAAAeugJAYQABACtCAQEECAAAAwCcOAAAAwAAHpAGECCbLd"
    "SSU1zcBDQYEAAAAwGQAAADABCAYgABAAhEAcFyhgwCJA==",
    "AAAAnCgBrwR46+wAxJuP+8SG//+zFfsv8njYn6s2N/a3///f+d//yL4wpywREyCHU7Fnh82tBjUB0yjTzXmvwsPAcvw+HZ6obxiL9yT+iR"
    "muwt19thiPtwmEAh/4ep+jfTiLf/zhuaebIat/7t6CJ98XAfwLF0xY6MP85Ez7f14FsiuMTCA9/0SPCSueWXXOCOKjHTI2TL6HePijN9do"
    "aA==",
)
TWELVE = _coded(
    "AQQIAAAAmDgAAAAAHvAA/P/8/AAADwNgAAEAF0ABDAH//wQIAAADAJg4AAADAAAeugJAYQABACtCAQEECAAAAwCYOAAAAwAAHpAGECCKUt"
    "1JJTXNwENBgQAAAwAZAAADAAEIYgABAAhEAcFyhgwCJA==",
    "AAAASygBrwR4PBN3Kt/r9qX//pJ47L/J+3J+rNjf2t///4Aof/8jWn9daVzqX/55KW8ffiQ//103DPPBX9/3QFSf8utgv6eS596OiRPWYA==",
)
# A soft gradient of 512 × 512, as cameras store their pictures: in tiles.
TILE = _coded(
    "AQNwAAAAkAAAAAAAWvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAWroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwBaoAQCAI"
    "BZbqSSmubgIaDAgAAADIAAAAMAhGIAAQAHRAHBcrBiQA==",
    "AAACzygBrwtECJJSWE5LT0uA+sallseNbOl3sNxdwGcOGLL1OHKe+ugSIzV2YEm1V89BN43earz7ab8XwqH3obPqQAUmFgWjUOQfIuyKEo"
    "zk3ELmvTo8JtvX+4DR/i+eBltUb7FVJYWek3OuLN7aWkL656Xj90ZhUB+hCCAYy2Gm/AMBUUnN9eeYvahArJFtTuag2XAEqQpOU+SYnPq/"
    "mk00E5s40Ro4qotBciw/CQ3tXSdI5DI3L2GS7jvvwjB6utfQ8BBYy23fE+afIDD4FP1CTQPMxYKsgUJxHggl2jQwUJ/ynotoaYf9aQ77Wk"
    "kJoviH7DC6koC78MGxK4GniGUwIzvUxEUlyvFprkZRB/M4cwo3SQTKAWAEV2w6jb8weuy7El8D3Djg0LU3MCQIAqljWeAZCckBS/pB2Z0Q"
    "jalHVR8iYRKqdEBqMlxPQfwYgNQFafRDcj0szLj9OY3SYMOY+x+x/g00w4f6iRP5w3JuCcX9GZKZTLefUBoKcCn3DMiOZp3dIpFRSo9eIM"
    "zA96dNZSg9xGR17M1g0u6Hq1Jh1TkSZB68EkDZp4YbKffT1VGXtD1ODNmHXMe2LZrHjFMFcd5uccizzelsEGfvTiygXNksHCkR9NlhR77B"
    "Grl0nYqGgfZpuMlsbP04WPidjlxjhdC2B2tjhnfJCoOpACQR/1obdA5EQxk1a2NNVglcX1KqrqGNBugUrnGUhT8hT301WUjSV0g9oe8zOI"
    "gEe44isKCOk7XJU5I8q0B38wqUFQwr8j5pSVL+4H0ofrG8lM90w5Sc+cPIvlXXfXYQ2wgAENIPwd/IXyrWrr94dxAr6KxV4RzRulJ0A/HP"
    "04FDcIOIpr2h58aAhEdvwwrTA3qPcRYCHkehgdp+SGjdMwDlwbBOhzyluXgI6GvruDuWqU4g36RG9bh1GXghcrGUCBXw59iGPIPbYErrvu"
    "8o/dXIN3AC",
)
