"""Which of two media types a client would rather have (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Iterator

_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


def prefers(accept: str | None, media_type: str, over: str) -> bool:
    """Whether `media_type` is what the header asks for rather than `over`, which is served when nothing says otherwise.

    The higher quality wins; of equal ones, what the header names more exactly: `image/*, */*` asks for the picture.
    """
    ranges = list(_ranges(accept or "*/*"))
    wanted, other = _rank(ranges, media_type), _rank(ranges, over)
    return wanted[0] > 0 and wanted > other


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.lower().split(","):
        media_range, *parameters = (word.strip() for word in part.split(";"))
        qualities = [value.strip() for name, _, value in (word.partition("=") for word in parameters) if name == "q"]
        quality = qualities[0] if qualities else "1"
        if media_range and _QUALITY.fullmatch(quality):
            yield media_range, float(quality)


def _rank(ranges: list[tuple[str, float]], media_type: str) -> tuple[float, int]:
    """The quality of a media type, by the range that names it most exactly, and how exact that is."""
    names = ("*/*", f"{media_type.partition('/')[0]}/*", media_type)
    found = [(names.index(media_range), quality) for media_range, quality in ranges if media_range in names]
    exactness, quality = max(found, default=(0, 0.0))
    return quality, exactness
