"""The settings of requests to other servers: where they may go, and which images they may fetch."""

from collections.abc import Callable
from typing import Annotated

from pydantic import Field, field_validator
from pydantic.dataclasses import dataclass

from quickthumb.config.declaring import STRICT, Called, Words
from quickthumb.model.opening import Opening, UrlPattern


@dataclass(frozen=True, config=STRICT)
class OutboundSettings:
    """Requests to other servers."""

    allowed: Annotated[Words, Called("outbound_allowed")] = Field(
        default=(),
        description="Hosts inside your network that requests may go to, comma-separated: names, `*.example.org`, "
        "addresses, networks (`10.1.0.0/16`), each with a port (`host:8080`) if it is neither 80 nor 443. Public hosts "
        "need no entry on those two ports.",
    )
    url_allowed: Words = Field(
        default=(),
        description="URLs from which clients may have images fetched: comma-separated patterns, such as "
        "`https://images.example.org/*` or `https://*.example.org/photos/*`. By default none.",
    )
    url_attempts: int = Field(
        default=6,
        ge=1,
        description="Give up on fetching an image after this many attempts; exponential backoff, starting at 1 s.",
    )
    url_seconds: float = Field(
        default=60, gt=0, description="How long it may take to fetch an image, redirects and all, in seconds."
    )

    @field_validator("allowed")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _readable(value, Opening.read)

    @field_validator("url_allowed")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _readable(value, UrlPattern.read)

    @property
    def openings(self) -> tuple[Opening, ...]:
        """What `allowed` opens."""
        return tuple(Opening.read(text) for text in self.allowed)

    @property
    def url_patterns(self) -> tuple[UrlPattern, ...]:
        """The patterns in `url_allowed`."""
        return tuple(UrlPattern.read(text) for text in self.url_allowed)


def _readable(texts: tuple[str, ...], read: Callable[[str], object]) -> tuple[str, ...]:
    """The texts. Raises ValueError if one of them cannot be read."""
    for text in texts:
        read(text)
    return texts
