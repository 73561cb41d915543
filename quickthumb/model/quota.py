"""Quotas in the form in which they are counted: who counts against which, and how much of it is left."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from quickthumb.model.address import client_network
from quickthumb.model.allowance import Quotas
from quickthumb.model.caller import ADDRESS_CLIENT

# The window of each quota that counts what happens within a time; the others count what is there at the same time.
WINDOW_SECONDS = {
    "requests_per_minute": 60,
    "uploads_per_hour": 3600,
    "upload_bytes_per_day": 86_400,
    "output_pixels_per_hour": 3600,
}
REQUESTS, STREAMS = "requests_per_minute", "event_streams"
UPLOADS, UPLOAD_BYTES, OUTPUT_PIXELS = "uploads_per_hour", "upload_bytes_per_day", "output_pixels_per_hour"
UNENDED, STORED = "unended_jobs", "stored_bytes"
# Units as in the draft of RateLimit-Policy, whose default is `requests`; it has none for pixels.
UNITS = {
    UPLOAD_BYTES: "content-bytes",
    OUTPUT_PIXELS: "pixels",
    UNENDED: "concurrent-requests",
    STORED: "content-bytes",
    STREAMS: "concurrent-requests",
}
# When to try again if nobody can say when there will be room: something has to end or to be removed first.
TRY_AGAIN_SECONDS = {UNENDED: 5, STREAMS: 5, STORED: 60}
TENANT_SUBJECT = "tenant:"


@dataclass(frozen=True, slots=True)
class Policy:
    """One quota of one subject: at most `most` of what `quota` names, which is a field of `Quotas`.

    `subject` is a client or a tenant, in a form that may be part of a Redis key and tells no address.
    """

    quota: str
    subject: str
    most: int

    @property
    def name(self) -> str:
        """Its name in headers, problems and metrics."""
        return f"tenant_{self.quota}" if self.subject.startswith(TENANT_SUBJECT) else self.quota

    @property
    def counted(self) -> str:
        """Its name among all quotas of all subjects."""
        return f"{self.quota}:{self.subject}"

    @property
    def window_seconds(self) -> int | None:
        """None if it counts what is there at the same time."""
        return WINDOW_SECONDS.get(self.quota)

    @property
    def unit(self) -> str | None:
        return UNITS.get(self.quota)


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of a quota is left, after a demand that was `admitted` or not.

    `wait_seconds` is when there is room for such a demand, or for one more if it was admitted; None if never: the
    demand alone is larger than the quota.
    """

    policy: Policy
    admitted: bool
    remaining: int
    wait_seconds: float | None


def policies(quotas: Quotas, subject: str) -> Iterator[Policy]:
    """The quotas that are set, for one subject."""
    for quota in Quotas.model_fields:
        most: int | None = getattr(quotas, quota)
        if most is not None:
            yield Policy(quota, subject, most)


def subject_of(client: str) -> str:
    """The subject for a `Caller.client`. An address is hashed; see `client_network`."""
    if not client.startswith(ADDRESS_CLIENT):
        return client
    network = client_network(client.removeprefix(ADDRESS_CLIENT))
    return f"{ADDRESS_CLIENT}{hashlib.sha256(network.encode()).hexdigest()}"


def is_of_address(counted: str) -> bool:
    """Whether this subject, with or without a quota before it, stands for an address."""
    return ADDRESS_CLIENT in counted
