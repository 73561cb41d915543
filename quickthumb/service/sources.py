"""Taking in a source: from the chunks of a request body to an identified picture that can be kept."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import unquote

from quickthumb import intake
from quickthumb.imaging.header import Header
from quickthumb.intake.headers import clean_filename
from quickthumb.model.allowance import NO_BOUNDS, Bounds
from quickthumb.model.errors import InvalidParameter, TooManyPixels
from quickthumb.model.limits import Limits
from quickthumb.model.source import Source
from quickthumb.outbound import OutboundRefused, shown
from quickthumb.outbound.allowed import AllowedUrls
from quickthumb.storage import Arrival, Storage
from quickthumb.storage.errors import StorageUnavailable
from quickthumb.storage.layout import record_key
from quickthumb.work.examination import Examination, identified

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


@dataclass(frozen=True, slots=True)
class ToFetch:
    """A source that a worker is to fetch from `url`: its name, if the body has one, and the fields that came in the
    same body. `url_name` is the name in the URL.

    `keep` stores the record of its job permanently.
    """

    source: Source
    url: str
    url_name: str | None
    fields: tuple[intake.Field, ...]
    keep: Callable[[bytes], Awaitable[None]]


class SourceIntake:
    """Takes in sources, within the limits of this deployment and the bounds of the caller; or the URLs of sources, if
    `urls` allows them."""

    def __init__(
        self,
        storage: Storage,
        intake_limits: intake.IntakeLimits,
        limits: Limits,
        urls: AllowedUrls | None = None,
    ) -> None:
        self._storage = storage
        self._intake_limits = intake_limits
        self._limits = limits
        self._urls = urls or AllowedUrls()

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
    ) -> AsyncIterator[TakenIn | ToFetch]:
        """Reads the body to its end. At the end of the block, discards the source unless `keep` was called.

        Reads the image's header, and calls `check` with it, as soon as it has arrived, and counts the image's parts as
        they arrive. Raises what `intake.receive` and `check` raise, UnsupportedImage, BrokenImage, TooManyPixels,
        TooManyFrames and TooManyParts, UrlNotAllowed, and the errors of the storage.
        """
        if bounds.max_pixels is not None:
            check = partial(_check_pixels, bounds.max_pixels, check)
        async with AsyncExitStack() as stack:
            arrivals: list[Arrival] = []
            examination = Examination(self._limits, check)

            async def open_arrival() -> Arrival:
                arrivals.append(await stack.enter_async_context(self._storage.receive(job_id)))
                return arrivals[0]

            received = await intake.receive(
                body,
                content_type,
                inspect=examination.inspect,
                open_sink=open_arrival,
                limits=self.limits_within(bounds),
                make_watch=examination.begin_watch,
            )
            if received.url is not None:
                yield self._to_fetch(job_id, received.url, received.filename, received.fields)
                return
            header = await examination.final(received.header, arrivals[0])
            named = Source(filename=received.filename)
            source = identified(named, header, length=received.bytes, sha256=received.sha256)
            yield TakenIn(source, header, received.fields, arrivals[0].keep)

    def _to_fetch(self, job_id: str, url: str, filename: str | None, fields: tuple[intake.Field, ...]) -> ToFetch:
        try:
            place = self._urls.check(url)
        except OutboundRefused as error:
            raise InvalidParameter(error.message, field="url") from None

        async def keep(record: bytes) -> None:
            if not await self._storage.put(record_key(job_id), record):
                raise StorageUnavailable("The job exists already.")

        source = Source.model_validate({"filename": filename, "url": shown(url)})
        return ToFetch(source, url, clean_filename(unquote(place.path)), fields, keep)


def _check_pixels(most: int, check: CheckHeader, header: Header) -> None:
    if header.width * header.height > most:
        raise TooManyPixels(
            f"The image has {header.width} × {header.height} pixels; {BOUNDS_SET_BY} allows at most {most}."
        )
    check(header)
