"""Examines an image as it arrives, from a client or from another server: its header as early as possible, and then the
number of its parts."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from quickthumb.imaging.formats.watch import Watch
from quickthumb.imaging.header import Header, make_watch, read_header, read_header_of_file, require_readable
from quickthumb.model.errors import TooManyPixels
from quickthumb.model.limits import Limits
from quickthumb.model.source import Source
from quickthumb.storage import Arrival


class Examination:
    """Examines one image, within `limits`. Calls `check` with its header, which raises an error to refuse the image.

    `inspect` and `begin_watch` are for an `intake.ImageStream`. All raise UnsupportedImage, BrokenImage, TooManyPixels,
    TooManyFrames, TooManyParts and what `check` raises.
    """

    def __init__(self, limits: Limits, check: Callable[[Header], None]) -> None:
        self._limits = limits
        self._check = check
        self._watch: Watch | None = None

    def inspect(self, prefix: bytearray, complete: bool) -> Header | None:
        """The header, if these first bytes tell it."""
        header = read_header(prefix, complete=complete)
        if header is None:
            return None
        checked = self.checked(header)
        # Checked as early as possible, but not final: the upright size is still to come.
        return None if header.awaits_orientation else checked

    def begin_watch(self, start: bytes) -> Watch | None:
        """The watch of an image that begins like this."""
        self._watch = make_watch(self._limits, start)
        return self._watch

    async def final(self, header: Header | None, arrival: Arrival) -> Header:
        """The header of an image that has arrived whole, with the orientation that the watch has seen.

        It is read from the whole file for the few images that have their size, or their orientation, too far behind
        their first bytes: then `header` is None.
        """
        if header is None:
            async with arrival.written() as path:
                header = self.checked(await asyncio.to_thread(read_header_of_file, path))
        orientation = None if self._watch is None else self._watch.orientation
        return header if orientation is None else replace(header, orientation=orientation)

    def checked(self, header: Header) -> Header:
        """The header, if the image may be taken in."""
        require_readable(header.format)
        if header.width * header.height > self._limits.max_pixels:
            raise TooManyPixels(
                f"The image has {header.width} × {header.height} pixels; "
                f"at most {self._limits.max_pixels} are accepted."
            )
        self._check(header)
        return header


def identified(source: Source, header: Header, *, length: int, sha256: str) -> Source:
    """The source with the facts that are known once it has arrived. `length` is in bytes."""
    width, height = header.upright
    facts = {"format": header.format, "width": width, "height": height, "bytes": length, "sha256": sha256}
    return source.model_copy(update=facts)
