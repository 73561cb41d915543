"""The settings of requests to other servers: where they may go, and which images they may fetch."""

from collections.abc import Callable
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from quickthumb.config.declaring import STRICT, Called, EmptyIsNone, Numbers, Words
from quickthumb.model.opening import Opening, UrlPattern
from quickthumb.model.webhook import key_of

# The pauses that Standard Webhooks proposes: 75 hours in all.
STANDARD_PAUSES = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
MOST_PAUSES = 20
# With jitter, less than the four days after which a delivery is given up in any case.
LONGEST_PAUSES_SECONDS = 80 * 3600


@dataclass(frozen=True, config=STRICT)
class OutboundSettings:
    """Requests to other servers."""

    allowed: Annotated[Words, Called("outbound_allowed")] = Field(
        default=(),
        description="Hosts inside your network that the service may send requests to, comma-separated: names, "
        "`*.example.org`, addresses, networks (`10.1.0.0/16`), each with a port (`host:8080`) if it is neither 80 nor "
        "443. Public hosts need no entry on those two ports.",
    )
    url_allowed: Words = Field(
        default=(),
        description="URLs from which clients may have images fetched: comma-separated patterns, such as "
        "`https://images.example.org/*` or `https://*.example.org/photos/*`. By default none.",
    )
    webhook_allowed: Words = Field(
        default=(),
        description="URLs that `webhook=` may name for one job or batch: comma-separated patterns, as in URL_ALLOWED. "
        "By default none. Webhooks made with `POST /webhooks` need no entry.",
    )
    webhook_secrets: Annotated[SecretStr | None, EmptyIsNone] = Field(
        default=None,
        description="Secrets that sign events for URLs in WEBHOOK_ALLOWED, each `whsec_` and 24 to 64 bytes in base64. "
        "Give two, comma-separated, while you replace one: both sign.",
    )
    webhook_pauses: Numbers = Field(
        default=STANDARD_PAUSES,
        min_length=1,
        max_length=MOST_PAUSES,
        description="The pauses between the attempts to deliver an event, in seconds, comma-separated: up to 20, and "
        "up to 80 hours in all. Each is made longer or shorter by up to a tenth. The delivery is FAILED if the attempt "
        "after the last pause fails.",
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

    @field_validator("webhook_allowed")
    @classmethod
    def _webhook_patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _readable(value, UrlPattern.read)

    @field_validator("webhook_pauses")
    @classmethod
    def _pauses(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < pause <= LONGEST_PAUSES_SECONDS for pause in value) or sum(value) > LONGEST_PAUSES_SECONDS:
            raise ValueError(f"must be more than 0 each, and up to {LONGEST_PAUSES_SECONDS} in all")
        return value

    @property
    def webhook_patterns(self) -> tuple[UrlPattern, ...]:
        """The patterns in `webhook_allowed`."""
        return tuple(UrlPattern.read(text) for text in self.webhook_allowed)

    @property
    def listed_webhook_secrets(self) -> list[str]:
        """The secrets one by one. Never show them."""
        text = self.webhook_secrets.get_secret_value() if self.webhook_secrets else ""
        return [word.strip() for word in text.split(",") if word.strip()]

    @property
    def openings(self) -> tuple[Opening, ...]:
        """What `allowed` opens."""
        return tuple(Opening.read(text) for text in self.allowed)

    @property
    def url_patterns(self) -> tuple[UrlPattern, ...]:
        """The patterns in `url_allowed`."""
        return tuple(UrlPattern.read(text) for text in self.url_allowed)

    @model_validator(mode="after")
    def _signable(self) -> Self:
        for secret in self.listed_webhook_secrets:
            try:
                key_of(secret)
            except ValueError as error:
                raise PydanticCustomError("secret", str(error), {"setting": "webhook_secrets"}) from None
        if self.webhook_allowed and not self.listed_webhook_secrets:
            raise PydanticCustomError(
                "combination", "needs WEBHOOK_SECRETS, which sign the events", {"setting": "webhook_allowed"}
            )
        return self


def _readable(texts: tuple[str, ...], read: Callable[[str], object]) -> tuple[str, ...]:
    """The texts. Raises ValueError if one of them cannot be read."""
    for text in texts:
        read(text)
    return texts
