"""Declares every setting once: its name, type, default, unit and meaning, in the section of the part that uses it.

Settings have flat names (`MAX_UPLOAD_BYTES`); the sections are for the code (`config.intake.max_upload_bytes`). A
setting has the name of its field, in capitals. Where the field has a shorter name, because the section says the rest,
`Called` gives the name of the setting.
"""

import platform
import re
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE
GIBIBYTE = 1024 * MEBIBYTE
DAY_SECONDS = 86_400

SMTP_PORTS = {"none": 25, "starttls": 587, "tls": 465}

STRICT = ConfigDict(extra="forbid", validate_default=True)


class Called(str):
    """Gives the name of a setting that is not named after its field."""


def _split_at_commas(value: object) -> object:
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


# An environment variable holds a list as text with commas, and an empty text means that the setting has no value.
Words = Annotated[tuple[str, ...], BeforeValidator(_split_at_commas)]
EmptyIsNone = BeforeValidator(_none_if_empty)


@dataclass(frozen=True, config=STRICT)
class StorageSettings:
    """Where files are stored."""

    data_dir: Path = Field(
        default=Path("data"), description="Folder that holds uploads, results and the embedded Redis."
    )
    min_free_bytes: int = Field(
        default=64 * MEBIBYTE,
        ge=0,
        description="Answer uploads with 503 when less disk space than this is free, in bytes.",
    )

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()


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
    root_path: str = Field(
        default="",
        description="Path prefix under which a reverse proxy serves QuickThumb, such as `/thumbs`; none by default.",
    )

    @field_validator("root_path")
    @classmethod
    def _plain_path(cls, value: str) -> str:
        path = value.strip("/")
        if not path:
            return ""
        if not re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*", path, re.ASCII) or {".", ".."} & set(path.split("/")):
            raise ValueError("must be a path such as /thumbs, of letters, digits, and the characters . _ ~ -")
        return f"/{path}"


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


@dataclass(frozen=True, config=STRICT)
class RedisSettings:
    """The Redis to use instead of the embedded one."""

    url: Annotated[SecretStr | None, Called("redis_url")] = Field(
        default=None,
        description="URL of the Redis to use: `redis://`, `rediss://` or `unix://`. "
        "By default, the embedded Redis of `quickthumb up`, on a socket in the data folder.",
    )
    prefix: Annotated[str, Called("redis_prefix")] = Field(
        default="quickthumb",
        pattern=r"^[A-Za-z0-9_.:{}-]{1,64}$",
        description="Beginning of the names of all keys in Redis; deployments with different ones can share a Redis.",
    )

    @field_validator("url")
    @classmethod
    def _connectable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        from quickthumb.config.redis_url import connection_options  # only now, since it imports redis

        connection_options(value.get_secret_value())
        return value


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


@dataclass(frozen=True, config=STRICT)
class WorkerSettings:
    """One worker process."""

    name: Annotated[str | None, EmptyIsNone, Called("worker_name")] = Field(
        default=None,
        pattern=r"^[^\s:]{1,64}$",
        description="Name of a worker, which `arq --check` asks about; by default the name of the host. Give each "
        "worker on a host its own.",
    )
    threads: Annotated[int, Called("worker_threads")] = Field(
        default=0, ge=0, description="Number of images that a worker renders at once; 0 means one per available core."
    )
    freeze_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Kill a worker that is blocked for this long, for example by a decoder that holds the GIL, in "
        "seconds.",
    )
    shutdown_grace_seconds: int = Field(
        default=30, ge=1, description="Time that a worker has to finish its running jobs on shutdown, in seconds."
    )
    housekeeping_seconds: float = Field(
        default=15.0, gt=0, description="How often a worker checks for jobs that Redis has lost, in seconds."
    )

    @property
    def own_name(self) -> str:
        """The name in the settings, or else that of the host."""
        return self.name or platform.node()


@dataclass(frozen=True, config=STRICT)
class SandboxSettings:
    """Limits on the memory and time of rendering."""

    decode_budget_bytes: int = Field(
        default=1536 * MEBIBYTE,
        ge=1,
        description="Memory that all images which a worker renders at once may use together, in bytes; an image that "
        "needs more is rendered alone.",
    )
    job_timeout_seconds: float = Field(
        default=120.0,
        gt=0,
        description="Longest time for the first attempt at a job, in seconds; the next attempt runs in a sandbox "
        "process.",
    )
    quarantine_seconds: float = Field(
        default=60.0, gt=0, description="Longest time for an attempt in a sandbox process, in seconds."
    )
    quarantine_memory_bytes: int = Field(
        default=2 * GIBIBYTE,
        ge=128 * MEBIBYTE,
        description="Most memory that a sandbox process may use, in bytes (only on Linux).",
    )


@dataclass(frozen=True, config=STRICT)
class QueueSettings:
    """How jobs are queued and attempted."""

    max_queued: int = Field(
        default=10_000, ge=1, description="Answer uploads with 503 when this many jobs are queued or running."
    )
    max_attempts: int = Field(default=3, ge=1, description="A job is FAILED after this many failed attempts.")
    lease_seconds: float = Field(
        default=8.0,
        ge=2,
        description="Time without a heartbeat after which other workers take over the jobs of a worker, in seconds.",
    )


@dataclass(frozen=True, config=STRICT)
class RetentionSettings:
    """How long jobs and their files are kept."""

    job_seconds: Annotated[int, Called("retention_seconds")] = Field(
        default=7 * DAY_SECONDS, ge=1, description="How long a job and its results are kept after it ends, in seconds."
    )
    source_seconds: Annotated[int, Called("source_retention_seconds")] = Field(
        default=7 * DAY_SECONDS,
        ge=0,
        description="How long a source is kept after the end of its job, in seconds; 0 removes it when the job ends.",
    )
    sweep_seconds: float = Field(
        default=300.0, gt=0, description="How often a worker removes expired jobs and sources, in seconds."
    )


@dataclass(frozen=True, config=STRICT)
class EmailSettings:
    """The emails that clients can have sent."""

    allowed: Annotated[Words, Called("email_allowed")] = Field(
        default=("*@example.com", "*@example.org"),
        description="Addresses that `/send-email/` may send to: comma-separated patterns, in which `*` matches any "
        "text.",
    )
    attempts: Annotated[int, Called("email_attempts")] = Field(
        default=12,
        ge=1,
        description="Give up on an email after this many attempts; exponential backoff, starting at 1 s.",
    )
    max_queued: Annotated[int, Called("email_max_queued")] = Field(
        default=100, ge=1, description="Answer requests for emails with 503 when this many are waiting."
    )

    @field_validator("allowed")
    @classmethod
    def _whole_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            if pattern != "*" and pattern.count("@") != 1:
                raise ValueError(f"{pattern!r} must be a pattern for whole addresses, such as *@example.com")
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
        pattern=r"^[^\r\n]+$",
        description="Sender (From) of emails: an address, or `Name <address>`.",
    )

    @field_validator("sender")
    @classmethod
    def _has_an_address(cls, value: str) -> str:
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
