"""Taking in a source: from the chunks of a request body to an identified picture that can be kept."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from quickthumb import intake
from quickthumb.imaging.formats.watch import Watch
from quickthumb.imaging.header import Header, make_watch, read_header, read_header_of_file, require_readable
from quickthumb.model.allowance import NO_BOUNDS, Bounds
from quickthumb.model.errors import TooManyPixels
from quickthumb.model.limits import Limits
from quickthumb.model.source import Source
from quickthumb.storage import Arrival, Storage

# Who has set the bounds of a caller, as refusals name it.
BOUNDS_SET_BY = "the API key or upload policy"

# Inspects an image's header, and raises an error to refuse the image.
CheckHeader = Callable[[Header], None]


def any_header(header: Header) -> None:
    """Refuses no image."""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """A source that has arrived completely, with its header and facts, and the fields that came in the same body.

    `keep` stores the source permanently, together with a job's record. Until then, nothing is permanent.
    """

    source: Source
    header: Header
    fields: tuple[intake.Field, ...]
    keep: Callable[[bytes], Awaitable[None]]


class SourceIntake:
    """Takes in sources, within the limits of this deployment and the bounds of the caller."""

    def __init__(self, storage: Storage, intake_limits: intake.IntakeLimits, limits: Limits) -> None:
        self._storage = storage
        self._intake_limits = intake_limits
        self._limits = limits

    def refuse_early(self, content_type: str, content_length: int | None, bounds: Bounds = NO_BOUNDS) -> None:
        """Refuses a request by its head alone. Raises UnsupportedMediaType or TooManyBytes."""
        intake.refuse_declared_length(content_length, content_type, self.limits_within(bounds))

    def limits_within(self, bounds: Bounds) -> intake.IntakeLimits:
        """The limits on one upload of a caller with these bounds."""
        limits, most = self._intake_limits, bounds.max_bytes
        if most is None or most >= limits.max_upload_bytes:
            return limits
        return replace(limits, max_upload_bytes=most, set_by=BOUNDS_SET_BY)

    def least_bytes(self, content_type: str, content_length: int | None) -> int:
        """How many bytes the image of a request has at least, as its head tells. Raises UnsupportedMediaType."""
        return intake.least_image_bytes(content_length, content_type, self._intake_limits)

    @asynccontextmanager
    async def take_in(
        self,
        job_id: str,
        body: AsyncIterator[bytes],
        content_type: str,
        check: CheckHeader = any_header,
        bounds: Bounds = NO_BOUNDS,
    ) -> AsyncIterator[TakenIn]:
        """Reads the body to its end. At the end of the block, discards the source unless `keep` was called.

        Reads the image's header, and calls `check` with it, as soon as it has arrived, and counts the image's parts as
        they arrive. Raises what `intake.receive` and `check` raise, UnsupportedImage, BrokenImage, TooManyPixels,
        TooManyFrames and TooManyParts, and the errors of the storage.
        """
        if bounds.max_pixels is not None:
            check = partial(_check_pixels, bounds.max_pixels, check)
        async with AsyncExitStack() as stack:
            arrivals: list[Arrival] = []
            watches: list[Watch] = []

            async def open_arrival() -> Arrival:
                arrivals.append(await stack.enter_async_context(self._storage.receive(job_id)))
                return arrivals[0]

            def begin_watch(start: bytes) -> Watch | None:
                made = make_watch(self._limits, start)
                watches.extend([made] if made else [])
                return made

            received = await intake.receive(
                body,
                content_type,
                inspect=partial(self._inspect, check),
                open_sink=open_arrival,
                limits=self.limits_within(bounds),
                make_watch=begin_watch,
            )
            header = _as_watched(received.header or await self._header_of(arrivals[0], check), watches)
            source = Source(
                filename=received.filename,
                format=header.format,
                width=header.upright[0],
                height=header.upright[1],
                bytes=received.bytes,
                sha256=received.sha256,
            )
            yield TakenIn(source, header, received.fields, arrivals[0].keep)

    def _inspect(self, check: CheckHeader, prefix: bytearray, complete: bool) -> Header | None:
        header = read_header(prefix, complete=complete)
        if header is None:
            return None
        checked = self._checked(header, check)
        # Checked as early as possible, but not final: the upright size is still to come.
        return None if header.awaits_orientation else checked

    async def _header_of(self, arrival: Arrival, check: CheckHeader) -> Header:
        """The header from the whole file, for the few images that have their size, or their orientation, too far behind
        their first bytes."""
        async with arrival.written() as path:
            return self._checked(await asyncio.to_thread(read_header_of_file, path), check)

    def _checked(self, header: Header, check: CheckHeader) -> Header:
        require_readable(header.format)
        if header.width * header.height > self._limits.max_pixels:
            raise TooManyPixels(
                f"The image has {header.width} × {header.height} pixels; "
                f"at most {self._limits.max_pixels} are accepted."
            )
        check(header)
        return header


def _check_pixels(most: int, check: CheckHeader, header: Header) -> None:
    if header.width * header.height > most:
        raise TooManyPixels(
            f"The image has {header.width} × {header.height} pixels; {BOUNDS_SET_BY} allows at most {most}."
        )
    check(header)


def _as_watched(header: Header, watches: list[Watch]) -> Header:
    """The header with the orientation that the watch has seen, if it has seen one."""
    told = [watch.orientation for watch in watches if watch.orientation is not None]
    return replace(header, orientation=told[0]) if told else header
