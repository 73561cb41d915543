"""Submitting an image: takes in its source, or the URL of it, and accepts its order."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from quickthumb import intake
from quickthumb.imaging.cost import Cost, check_cost, check_memory, estimate_cost
from quickthumb.imaging.header import Header
from quickthumb.imaging.memory import estimate_decode_bytes
from quickthumb.imaging.orientation import Size
from quickthumb.model.allowance import Bounds
from quickthumb.model.caller import Caller
from quickthumb.model.errors import InvalidParameter, MalformedRequest, OrderTooLarge
from quickthumb.model.job import Job, new_id
from quickthumb.model.limits import Limits
from quickthumb.model.opening import UrlPattern
from quickthumb.model.order import Order
from quickthumb.model.output import Output
from quickthumb.model.policy import UploadPolicy
from quickthumb.model.source import Fetch, Source
from quickthumb.outbound.errors import OutboundRefused
from quickthumb.outbound.guard import split_url
from quickthumb.service.accept import Acceptance, Place
from quickthumb.service.errors import WebhookNotAllowed
from quickthumb.service.policies import PolicyUses
from quickthumb.service.presets import Fields, TenantPresets, not_allowed, within
from quickthumb.service.sources import BOUNDS_SET_BY, CheckHeader, SourceIntake, ToFetch, any_header

# Fields of more characters than this are not remembered.
MOST_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Upload:
    """A request's body as it arrives, and what came with it in the head and the query of the request.

    `filename` is the image's name, unless the body has one. With `preset`, the endpoint decides which outputs to make,
    and all fields of the request are ignored. With `policy`, the upload is one use of that. With `place`, the
    image is one of a batch.
    """

    body: AsyncIterator[bytes]
    content_type: str
    content_length: int | None
    parameters: Iterable[tuple[str, Any]]
    idempotency_key: str | None = None
    filename: str | None = None
    preset: str | None = None
    policy: UploadPolicy | None = None
    place: Place | None = None


class Submission:
    """The verb that submits an image, within `limits`, the bounds of the caller and the memory that a worker may take
    for one image.

    `order` is the class of the orders that clients may give.
    """

    def __init__(
        self,
        sources: SourceIntake,
        acceptance: Acceptance,
        presets: TenantPresets,
        order: type[Order] = Order,
        *,
        limits: Limits,
        budget_bytes: int,
        policies: PolicyUses,
        webhook_patterns: Sequence[UrlPattern] = (),
    ) -> None:
        self.presets = presets
        self._sources = sources
        self.acceptance = acceptance
        self._order_kind = order
        self._limits = limits
        self._budget_bytes = budget_bytes
        self._webhook_patterns = webhook_patterns
        self._policies = policies
        # Most uploads ask for what others have asked for already. What the meaning of a request's fields depends on is
        # part of the key: the tenant, and the presets of the caller's bounds.
        self._known_order = lru_cache(maxsize=256)(self._parse)

    async def submit(self, caller: Caller, upload: Upload, check: CheckHeader = any_header) -> Job:
        """Takes in an image and queues its job. When this returns, the job is in the storage and in the queue.

        If an earlier request with the same Idempotency-Key made a job, returns that job and makes no other. Calls
        `check` as soon as the image's header has arrived.

        Raises what `SourceIntake`, `Order.parse`, `Acceptance` and `PolicyUses` raise, OrderTooLarge and
        PresetNotAllowed; then nothing is left behind. If the body brings no fields, an order that is too large is
        refused as soon as the header has arrived.
        """
        bounds = caller.bounds
        self._sources.refuse_early(upload.content_type, upload.content_length, bounds)
        known = None if intake.brings_fields(upload.content_type) else self._order(caller, upload, ())
        if known is not None:
            check = partial(self._check_early, known, bounds, check)
        least_bytes = partial(self._sources.least_bytes, upload.content_type, upload.content_length)
        async with (
            self.acceptance.admit(caller, upload.idempotency_key, least_bytes=least_bytes) as admission,
            self._policies.begun(upload.policy, is_repeat=admission.is_repeat) as counted,
        ):
            job_id = new_id() if upload.place is None else upload.place.job_id
            async with self._sources.take_in(job_id, upload.body, upload.content_type, check, bounds) as taken:
                source = taken.source
                if source.filename is None and upload.filename is not None:
                    source = source.model_copy(update={"filename": upload.filename})
                fields = intake.without_uploaders_fields(taken.fields, source.filename)
                order = known or self._order(caller, upload, fields)
                keep = counted(job_id, taken.keep)
                if isinstance(taken, ToFetch):
                    if upload.preset is not None:  # an older API, which knows nothing of URLs
                        raise MalformedRequest("The request has no image.", field="image")
                    if upload.policy is not None:
                        raise InvalidParameter("An upload with a policy must bring the image itself.", field="url")
                    self._check_outputs(len(order.outputs), bounds)
                    source = source.model_copy(update={"filename": source.filename or taken.url_name})
                    fetch = Fetch(url=taken.url, bounds=bounds)
                    return await admission.accept(job_id, source, order, keep, fetch=fetch, place=upload.place)
                is_large, pixels = self._check(order, bounds, taken.header)
                return await admission.accept(
                    job_id, source, order, keep, is_large=is_large, output_pixels=pixels, place=upload.place
                )

    def order_of(self, caller: Caller, given: Fields) -> Order:
        """The order in these fields, within the caller's presets. Raises what `Order.parse` raises, and
        PresetNotAllowed."""
        tenant = caller.tenant if caller.tenant in self.presets.own else None
        parse = self._known_order if _is_short_text(given) else self._parse
        return parse(given, tenant, caller.bounds.presets)

    def check_known(self, order: Order, bounds: Bounds, source: Source) -> tuple[bool, int]:
        """Whether the order makes a large job of a source whose format and size are known, and the pixels of its
        outputs. Raises OrderTooLarge."""
        return self._check_demand(order, bounds, source.format or "", (source.width or 0, source.height or 0))

    def _order(self, caller: Caller, upload: Upload, fields: Iterable[intake.Field]) -> Order:
        if upload.preset is not None:
            return self._order_kind(outputs=self._fixed(caller, upload.preset))
        given = (*upload.parameters, *((field.name, field.value) for field in fields))
        if upload.policy is not None:
            given = upload.policy.applied(given)
        return self.order_of(caller, given)

    def _fixed(self, caller: Caller, preset: str) -> tuple[Output, ...]:
        allowed = self.presets.allowed(caller)
        if preset not in allowed:
            raise not_allowed(f"This endpoint uses the preset {preset}", allowed)
        return allowed[preset]

    def _parse(self, given: Fields, tenant: str | None, names: tuple[str, ...] | None) -> Order:
        """The order in these fields for a tenant that has presets of its own, or any other: None. With `names`, only
        these presets may be used."""
        presets = self.presets.of(tenant, names)
        if names is not None:
            given = within(given, presets)
        order = self._order_kind.parse(given, presets, self._limits.max_outputs)
        if order.webhook is not None:
            check_webhook(order.webhook, self._webhook_patterns)
        if order.notify_email is not None:
            self.acceptance.notices.check(order.notify_email)
        return order

    def _check_early(self, order: Order, bounds: Bounds, check: CheckHeader, header: Header) -> None:
        check(header)
        self._check(order, bounds, header)

    def _check(self, order: Order, bounds: Bounds, header: Header) -> tuple[bool, int]:
        """Whether the order makes a large job, and the pixels of its outputs, as far as the header tells. Raises
        OrderTooLarge if it asks for more than one job may take, or than the bounds allow."""
        return self._check_demand(order, bounds, header.format, header.upright)

    def _check_demand(self, order: Order, bounds: Bounds, format_name: str, upright: Size) -> tuple[bool, int]:
        cost, needed_bytes = _demand(format_name, upright, order.outputs)
        check_cost(cost, self._limits)
        check_memory(needed_bytes, self._budget_bytes)
        self._check_outputs(cost.outputs, bounds)
        if bounds.max_output_pixels is not None and cost.pixels > bounds.max_output_pixels:
            raise _too_large(f"The outputs have {cost.pixels} pixels together", bounds.max_output_pixels)
        return cost.is_large(needed_bytes), cost.pixels

    @staticmethod
    def _check_outputs(count: int, bounds: Bounds) -> None:
        if bounds.max_outputs is not None and count > bounds.max_outputs:
            raise _too_large(f"The job has {count} outputs", bounds.max_outputs)


def _too_large(what: str, most: int) -> OrderTooLarge:
    return OrderTooLarge(f"{what}; {BOUNDS_SET_BY} allows at most {most}.")


def check_webhook(url: str, patterns: Sequence[UrlPattern]) -> None:
    """Raises WebhookNotAllowed unless one of the patterns matches the URL."""
    try:
        place = split_url(url)
    except OutboundRefused as error:
        raise InvalidParameter(error.message, field="webhook") from None
    if not any(pattern.matches(place.scheme, place.host, place.port, place.path) for pattern in patterns):
        raise WebhookNotAllowed("The setting WEBHOOK_ALLOWED does not admit this URL.", field="webhook")


def _is_short_text(given: Iterable[tuple[str, Any]]) -> bool:
    """Whether these fields may be remembered. JSON values that are not text may be equal though they mean different
    things, as 1 and true."""
    return all(isinstance(value, str) and len(name) + len(value) <= MOST_REMEMBERED for name, value in given)


@lru_cache(maxsize=256)
def _demand(format_name: str, upright: Size, outputs: tuple[Output, ...]) -> tuple[Cost, int]:
    """The cost and the memory in bytes of making these outputs. Uploads are often alike, and each is checked twice."""
    width, height = upright
    cost = estimate_cost(format=format_name, size=upright, outputs=outputs)
    return cost, estimate_decode_bytes(format=format_name, width=width, height=height, outputs=outputs)
