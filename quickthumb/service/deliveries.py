"""Deliveries as callers see them: in pages, and the choice of which to send again."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from quickthumb.model.errors import InvalidParameter
from quickthumb.model.job import Status, to_milliseconds
from quickthumb.model.webhook import Delivery, EventType
from quickthumb.queue.deliveries import MOST_LISTED

UNENDED = frozenset({Status.WAITING, Status.IN_PROGRESS})
_CURSOR = re.compile(r"([0-9]{1,14})-([0-9a-f]{32})")
# When a delivery was queued, in milliseconds, and its id: the place of it in every list.
Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Listing:
    """Which deliveries to list: at most `limit`, with this `status`, after the one that the `cursor` names."""

    status: Status | None = None
    limit: int = MOST_LISTED
    cursor: str | None = None

    @property
    def after(self) -> Place | None:
        """The place of the last delivery on the page before. Raises InvalidParameter."""
        if self.cursor is None:
            return None
        found = _CURSOR.fullmatch(self.cursor)
        if found is None:
            raise InvalidParameter("The cursor is not valid; use the `cursor` of an earlier page.", field="cursor")
        return int(found[1]), found[2]


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Deliveries, newest first. The next page begins at `cursor`; None if there is none."""

    deliveries: tuple[Delivery, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Which events to send again: those of a period and of these types, unless they are being delivered.

    With a `status`, those whose last delivery has it; else, with `only_failed`, those that were never delivered.
    """

    since: datetime
    until: datetime
    only_failed: bool = True
    events: frozenset[EventType] | None = None
    status: Status | None = None

    def of(self, deliveries: Iterable[Delivery]) -> list[Delivery]:
        """The first delivery of each chosen event, earliest event first. `deliveries` must be newest first."""
        of_message: dict[str, list[Delivery]] = {}
        for delivery in deliveries:
            if self.since <= delivery.happened_at <= self.until and delivery.event in (self.events or EventType):
                of_message.setdefault(delivery.message_id, []).append(delivery)
        chosen = (every[-1] for every in of_message.values() if self._has(every))
        return sorted(chosen, key=lambda one: (one.happened_at, one.message_id))

    def _has(self, every: Sequence[Delivery]) -> bool:
        statuses = [delivery.status for delivery in every]
        if not UNENDED.isdisjoint(statuses):
            return False
        return statuses[0] is self.status if self.status else not (self.only_failed and Status.DONE in statuses)


def page_of(deliveries: Iterable[Delivery], listing: Listing) -> DeliveryPage:
    """The page of these deliveries, in whichever order they come. Raises InvalidParameter."""
    after = listing.after
    found = [
        delivery
        for delivery in sorted(deliveries, key=_place, reverse=True)
        if (after is None or _place(delivery) < after) and listing.status in (None, delivery.status)
    ]
    shown = found[: listing.limit]
    milliseconds, delivery_id = _place(shown[-1]) if shown else (0, "")
    return DeliveryPage(tuple(shown), f"{milliseconds}-{delivery_id}" if len(found) > len(shown) else None)


def _place(delivery: Delivery) -> Place:
    return to_milliseconds(delivery.created_at), delivery.id
