"""The settings of the web server: its address, what an upload may send, and the log."""

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic.dataclasses import dataclass

from quickthumb.config.declaring import KIBIBYTE, MEBIBYTE, STRICT, Called, EmptyIsNone, Words

SHORTEST_SECRET = 32

# A scheme, a name, or names below one of at least two parts, or an IPv6 address, and a port.
ORIGIN = r"(?P<scheme>https?)://([\w-]+(\.[\w-]+)*|\*(\.[\w-]+){2,}|\[[0-9a-f:.]+\])(?P<port>:\d{1,5})?"


@dataclass(frozen=True, config=STRICT)
class WebSettings:
    """The web server."""

    host: str = Field(
        default="127.0.0.1", description="Network address that `quickthumb up` and `quickthumb serve` listen on."
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port that they listen on; 0 takes a free one.")
    max_wait_seconds: float = Field(
        default=60.0,
        ge=0,
        description="Longest time that a request may wait with `?wait=` or `Prefer: wait=`, in seconds.",
    )
    max_waits: int = Field(
        default=500,
        ge=0,
        description="Largest number of requests that wait at the same time in one web process; others are answered at "
        "once, with the job as it stands.",
    )
    max_waits_per_address: int = Field(
        default=64, ge=0, description="Largest number of requests from one address that wait at the same time."
    )
    max_event_streams: int = Field(
        default=500,
        ge=0,
        description="Largest number of streams of events that are open at the same time in one web process.",
    )
    max_event_streams_per_address: int = Field(
        default=64, ge=0, description="Largest number of streams of events from one address."
    )
    event_heartbeat_seconds: float = Field(
        default=15.0,
        gt=0,
        description="Send a heartbeat into a stream of events after this long without an event, in seconds.",
    )
    max_connections: int = Field(
        default=1000,
        ge=1,
        description="Largest number of open connections of one web process; others are refused with 503.",
    )
    max_connections_per_address: int = Field(
        default=256, ge=1, description="Largest number of open connections from one address."
    )
    send_idle_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Close a connection whose client reads nothing of a response for this long, in seconds.",
    )
    original_metadata: Literal["keep", "no-location"] = Field(
        default="no-location",
        description="`no-location` serves originals without the place where the picture was taken, `keep` exactly as "
        "they were uploaded.",
    )
    root_path: str = Field(
        default="",
        description="Path prefix under which a reverse proxy serves QuickThumb, such as `/thumbs`; none by default.",
    )

    allowed_hosts: Words = Field(
        default=(),
        description="Host names that requests may name besides `localhost`, `HOST` and IP addresses: comma-separated, "
        "`*.example.org` stands for all names below example.org, `*` for any.",
    )
    trusted_proxies: Words = Field(
        default=(),
        description="Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed: comma-separated addresses "
        "and networks such as 10.0.0.0/8, or `unix` for clients of a Unix socket. By default, none.",
    )
    cors_origins: Words = Field(
        default=(),
        description="Other origins whose pages may use the service from a browser (CORS): comma-separated, such as "
        "https://shop.example.org; `https://*.example.org` stands for all names below example.org. By default, none.",
    )

    open_access: bool = Field(
        default=False,
        description="Let in everybody who can reach the service, as long as there is no API key. Otherwise a service "
        "without keys answers only on its own machine.",
    )

    dashboard: bool = Field(
        default=True,
        description="Serve the page `/dashboard`, and `/session`, where pages log in with an API key.",
    )

    url_secrets: Annotated[SecretStr | None, EmptyIsNone] = Field(
        default=None,
        description="Secrets with which URLs and upload policies are signed, of at least 32 characters each. Give two, "
        "comma-separated, while you replace one: the first signs, and both are accepted.",
    )

    @property
    def listed_url_secrets(self) -> list[str]:
        """The secrets one by one. Never show them."""
        text = self.url_secrets.get_secret_value() if self.url_secrets else ""
        return [word.strip() for word in text.split(",") if word.strip()]

    @field_validator("url_secrets")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        words = value.get_secret_value().split(",") if value else []
        if any(len(word.strip()) < SHORTEST_SECRET for word in words):
            raise ValueError(
                f"each must have at least {SHORTEST_SECRET} characters: take those of `openssl rand -hex 32`"
            )
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _bare_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name != "*" and not re.fullmatch(r"(\*\.)?[\w-]+(\.[\w-]+)*\.?", name, re.ASCII):
                raise ValueError(
                    f"{name!r} must be a host name without scheme, port and path, such as images.example.org or "
                    "*.example.org"
                )
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses_and_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            if word != "unix":
                ipaddress.ip_network(word)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_as_browsers_send_it, value))

    @field_validator("root_path")
    @classmethod
    def _plain_path(cls, value: str) -> str:
        path = value.strip("/")
        if not path:
            return ""
        if not re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*", path, re.ASCII) or {".", ".."} & set(path.split("/")):
            raise ValueError("must be a path such as /thumbs, of letters, digits, and the characters . _ ~ -")
        return f"/{path}"


def _as_browsers_send_it(text: str) -> str:
    """An origin in lower case and without the port that its scheme has anyway. Raises ValueError if it is not one."""
    origin = text.lower()
    found = re.fullmatch(ORIGIN, origin, re.ASCII)
    if found is None:
        raise ValueError(
            f"{text!r} must be an origin such as https://shop.example.org or https://*.example.org, without a path; "
            "`*` alone is not possible"
        )
    default = {"http": ":80", "https": ":443"}[found["scheme"]]
    return origin.removesuffix(default) if found["port"] == default else origin


@dataclass(frozen=True, slots=True, config=STRICT)
class IntakeLimits:
    """The most that one upload may send, and the longest time that it may take.

    The limits in bytes apply to the image and the fields themselves, without what their encoding adds.
    """

    max_upload_bytes: int = Field(default=64 * MEBIBYTE, ge=1, description="Largest image accepted, in bytes.")
    max_fields: int = Field(
        default=64, ge=1, description="Largest number of form fields, JSON keys or query parameters in one upload."
    )
    max_fields_bytes: int = Field(
        default=64 * KIBIBYTE, ge=1, description="Largest size of all fields of one upload together, in bytes."
    )
    idle_seconds: Annotated[float, Called("upload_idle_seconds")] = Field(
        default=20.0, gt=0, description="Abort an upload that sends nothing for this long, in seconds."
    )
    total_seconds: Annotated[float, Called("upload_total_seconds")] = Field(
        default=900.0, gt=0, description="Abort an upload that takes longer than this, in seconds."
    )
    # What has set `max_upload_bytes`, if it is not the setting: refusals name it.
    set_by: str | None = None


@dataclass(frozen=True, slots=True, config=STRICT)
class BatchLimits:
    """The most that one batch may send, and the longest time that it may take. For each of its images, the limits on
    uploads hold."""

    max_images: Annotated[int, Called("batch_max_images")] = Field(
        default=100, ge=1, le=1000, description="Largest number of images in one batch."
    )
    max_bytes: Annotated[int, Called("batch_max_bytes")] = Field(
        default=1024 * MEBIBYTE,
        ge=1,
        lt=4096 * MEBIBYTE,
        description="Largest body of a batch, and of the content of a ZIP, in bytes.",
    )
    max_seconds: Annotated[float, Called("batch_seconds")] = Field(
        default=3600.0, gt=0, description="End a batch that takes longer than this to arrive, in seconds."
    )


@dataclass(frozen=True, config=STRICT)
class LogSettings:
    """What the processes log, and how."""

    format: Annotated[Literal["auto", "text", "json"], Called("log_format")] = Field(
        default="auto",
        description="Format of the log: `text`, `json` (one object per line), or `auto`: text on a terminal, JSON "
        "elsewhere.",
    )
    requests: Annotated[Literal["changes", "all", "none"], Called("log_requests")] = Field(
        default="changes",
        description="Requests that the web server logs, one line each: `changes` (those that may change something, so "
        "neither polls nor health checks), `all` or `none`.",
    )
