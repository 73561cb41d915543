"""The settings of the emails that clients can have sent, and of the mail server."""

import string
from email.utils import parseaddr
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from quickthumb.config.declaring import STRICT, Called, EmptyIsNone, Words

# What a pattern may have: the characters of the addresses that `notify.message` accepts, and the wildcard.
PATTERN_CHARACTERS = frozenset(string.ascii_letters + string.digits + "#&'+=_~-.@*")
SMTP_PORTS = {"none": 25, "starttls": 587, "tls": 465}


@dataclass(frozen=True, config=STRICT)
class EmailSettings:
    """The emails that clients can have sent."""

    allowed: Annotated[Words, Called("email_allowed")] = Field(
        default=("*@example.com", "*@example.org"),
        description="Addresses that `notify_email=` and `/send-email/` may send to: comma-separated patterns, in "
        "which `*` matches any text and every other character itself.",
    )
    attempts: Annotated[int, Called("email_attempts")] = Field(
        default=12,
        ge=1,
        description="Give up on an email after this many attempts; exponential backoff, starting at 1 s.",
    )
    max_queued: Annotated[int, Called("email_max_queued")] = Field(
        default=100, ge=1, description="Answer requests for emails with 503 when this many are waiting."
    )
    per_hour: Annotated[int, Called("email_per_hour")] = Field(
        default=500, ge=1, description="Answer requests for emails with 429 after this many within an hour."
    )
    per_address_per_hour: Annotated[int, Called("email_per_address_per_hour")] = Field(
        default=20,
        ge=1,
        description="Answer requests for emails to one address with 429 after this many within an hour.",
    )

    @field_validator("allowed")
    @classmethod
    def _whole_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            if pattern != "*" and pattern.count("@") != 1:
                raise ValueError(f"{pattern!r} must be a pattern for whole addresses, such as *@example.com")
            if odd := set(pattern) - PATTERN_CHARACTERS:
                raise ValueError(
                    f"{pattern!r} matches no address, because of {min(odd)!r}: only * stands for other characters, and "
                    "an international domain is written xn--…"
                )
        return value


@dataclass(frozen=True, config=STRICT)
class SmtpServer:
    """The mail server, if there is one."""

    host: Annotated[str | None, EmptyIsNone, Called("smtp_host")] = Field(
        default=None,
        description="Host name of the mail server. By default, emails are written to `outbox` in the data folder.",
    )
    port: Annotated[int | None, EmptyIsNone, Called("smtp_port")] = Field(
        default=None,
        ge=1,
        le=65535,
        description="Port of the mail server; by default 587 with `starttls`, 465 with `tls`, 25 with `none`.",
    )
    tls: Annotated[Literal["starttls", "tls", "none"], Called("smtp_tls")] = Field(
        default="starttls",
        description="Encryption of the connection to the mail server: `starttls`, `tls` (from the start) or `none`.",
    )
    user: Annotated[str | None, EmptyIsNone, Called("smtp_user")] = Field(
        default=None, description="User name for the mail server."
    )
    password: Annotated[SecretStr | None, EmptyIsNone, Called("smtp_password")] = Field(
        default=None, description="Password for the mail server."
    )
    sender: Annotated[str, Called("smtp_sender")] = Field(
        default="QuickThumb <quickthumb@localhost>",
        description="Sender (From) of emails: an address, or `Name <address>`.",
    )

    @field_validator("sender")
    @classmethod
    def _has_an_address(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("must have no line breaks or other control characters")
        if parseaddr(value)[1].count("@") != 1:
            raise ValueError("must be an address or a name with an address, such as QuickThumb <robot@example.org>")
        return value

    @model_validator(mode="after")
    def _complete_login(self) -> Self:
        if (self.user is None) != (self.password is None):
            missing = "smtp_user" if self.user is None else "smtp_password"
            raise PydanticCustomError("combination", "user name and password go together", {"setting": missing})
        return self

    @property
    def connection_port(self) -> int:
        """The port to connect to: the one in the settings, or else the usual one for `tls`."""
        return self.port or SMTP_PORTS[self.tls]
