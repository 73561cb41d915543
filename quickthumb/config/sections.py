"""Every setting, declared once: its name, type, default, unit and meaning, in the section of the part that takes it.

A setting bears the name of its field, in capitals, or the name in `Called` where the section says the rest. Settings
have flat names (`MAX_UPLOAD_BYTES`); the sections are for the code (`config.intake.max_upload_bytes`).
"""

from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import parse_qs, urlsplit

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
    """The name of a setting whose field is called otherwise."""


def _split_at_commas(value: object) -> object:
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


# In the environment, a list is one text with commas, and a setting without a value is an empty text.
Words = Annotated[tuple[str, ...], BeforeValidator(_split_at_commas)]
EmptyIsNone = BeforeValidator(_none_if_empty)


@dataclass(frozen=True, config=STRICT)
class StorageSettings:
    """Where files are kept."""

    data_dir: Path = Field(
        default=Path("data"), description="Folder that holds uploads, results and the embedded Redis."
    )
    min_free_bytes: int = Field(
        default=64 * MEBIBYTE,
        ge=0,
        description="With less free disk than this, uploads are answered with 503, in bytes.",
    )

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()


@dataclass(frozen=True, config=STRICT)
class WebSettings:
    """The web server."""

    host: str = Field(
        default="127.0.0.1", description="Network address on which `quickthumb up` and `quickthumb serve` listen."
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port on which they listen; 0 takes a free one.")
    max_wait_seconds: float = Field(
        default=60.0,
        ge=0,
        description="Longest time for which `?wait=` or `Prefer: wait=` holds an answer, in seconds.",
    )


@dataclass(frozen=True, config=STRICT)
class RedisSettings:
    """The Redis to use, if it is not the embedded one."""

    url: Annotated[SecretStr | None, Called("redis_url")] = Field(
        default=None,
        description="Redis to use: `redis://`, `rediss://` or `unix://`. "
        "Without it, the embedded one of `quickthumb up` is used, on a socket under the data folder.",
    )

    @field_validator("url")
    @classmethod
    def _connectable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        if not _has_whole_numbers(value.get_secret_value()):
            raise ValueError(
                "the port and the database must be whole numbers, and special characters of a password %-encoded"
            )
        return value


@dataclass(frozen=True, slots=True, config=STRICT)
class IntakeLimits:
    """The most that one upload may send, and how long it may take.

    Bytes are those of the image and of the fields themselves, before any encoding.
    """

    max_upload_bytes: int = Field(default=64 * MEBIBYTE, ge=1, description="Largest image accepted, in bytes.")
    max_fields: int = Field(
        default=64, ge=1, description="Most form fields, JSON keys or query parameters in one upload."
    )
    max_fields_bytes: int = Field(
        default=64 * KIBIBYTE, ge=1, description="Most bytes that all fields of one upload may have together."
    )
    idle_seconds: Annotated[float, Called("upload_idle_seconds")] = Field(
        default=20.0, gt=0, description="An upload that sends nothing for this long is aborted, in seconds."
    )
    total_seconds: Annotated[float, Called("upload_total_seconds")] = Field(
        default=900.0, gt=0, description="An upload that takes longer than this is aborted, in seconds."
    )


@dataclass(frozen=True, config=STRICT)
class WorkerSettings:
    """One worker process."""

    threads: Annotated[int, Called("worker_threads")] = Field(
        default=0, ge=0, description="Images rendered at once by one worker; 0 means one for each core it may use."
    )
    freeze_seconds: float = Field(
        default=30.0,
        gt=0,
        description="A worker that is blocked for this long, for example by a decoder that holds the GIL, is killed, "
        "in seconds.",
    )
    shutdown_grace_seconds: int = Field(
        default=30, ge=1, description="How long a worker that is told to stop may finish its running jobs, in seconds."
    )
    housekeeping_seconds: float = Field(
        default=15.0, gt=0, description="How often a worker looks for jobs that Redis has lost, in seconds."
    )


@dataclass(frozen=True, config=STRICT)
class SandboxSettings:
    """What rendering one job may take."""

    decode_budget_bytes: int = Field(
        default=1536 * MEBIBYTE,
        ge=1,
        description="Memory that all images of one worker may take together, in bytes; a larger image is rendered "
        "alone.",
    )
    job_timeout_seconds: float = Field(
        default=120.0,
        gt=0,
        description="Longest time for the first attempt at a job, in seconds; then it is quarantined.",
    )
    quarantine_seconds: float = Field(
        default=60.0, gt=0, description="Longest time for a further attempt, in a process of its own, in seconds."
    )
    quarantine_memory_bytes: int = Field(
        default=2 * GIBIBYTE,
        ge=128 * MEBIBYTE,
        description="Most memory that the process of a further attempt may take, in bytes (on Linux).",
    )


@dataclass(frozen=True, config=STRICT)
class QueueSettings:
    """How jobs are queued and attempted."""

    max_queued: int = Field(
        default=10_000, ge=1, description="When this many jobs are queued or running, uploads are answered with 503."
    )
    max_attempts: int = Field(
        default=3, ge=1, description="How many failed attempts a job may have before it is FAILED."
    )
    lease_seconds: float = Field(
        default=8.0, ge=2, description="When a worker is silent for this long, another takes over its jobs, in seconds."
    )


@dataclass(frozen=True, config=STRICT)
class RetentionSettings:
    """How long things are kept."""

    job_seconds: Annotated[int, Called("retention_seconds")] = Field(
        default=7 * DAY_SECONDS, ge=1, description="How long a job and its results are kept after its end, in seconds."
    )
    source_seconds: Annotated[int, Called("source_retention_seconds")] = Field(
        default=7 * DAY_SECONDS,
        ge=0,
        description="How long a job's source is kept after its end, in seconds; 0 removes it as the job ends.",
    )
    sweep_seconds: float = Field(
        default=300.0, gt=0, description="How often a worker removes what has been kept long enough, in seconds."
    )


@dataclass(frozen=True, config=STRICT)
class EmailSettings:
    """Emails that clients may have sent."""

    allowed: Annotated[Words, Called("email_allowed")] = Field(
        default=("*@example.com", "*@example.org"),
        description="Addresses to which `/send-email/` may send: patterns with commas between, `*` for any text.",
    )
    attempts: Annotated[int, Called("email_attempts")] = Field(
        default=12,
        ge=1,
        description="How many times sending an email is tried, with exponential backoff, starting at 1 s.",
    )
    max_queued: Annotated[int, Called("email_max_queued")] = Field(
        default=100, ge=1, description="When this many emails wait to be sent, further ones are answered with 503."
    )

    @field_validator("allowed")
    @classmethod
    def _whole_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            if pattern != "*" and pattern.count("@") != 1:
                raise ValueError(f"{pattern!r} must be a pattern of whole addresses, such as *@example.com")
        return value


@dataclass(frozen=True, config=STRICT)
class SmtpServer:
    """The mail server, if there is one."""

    host: Annotated[str | None, EmptyIsNone, Called("smtp_host")] = Field(
        default=None,
        description="Mail server. Without one, emails are written to the folder `outbox` under the data folder.",
    )
    port: Annotated[int | None, EmptyIsNone, Called("smtp_port")] = Field(
        default=None,
        ge=1,
        le=65535,
        description="Its port; by default 587 with `starttls`, 465 with `tls`, 25 with `none`.",
    )
    tls: Annotated[Literal["starttls", "tls", "none"], Called("smtp_tls")] = Field(
        default="starttls",
        description="How the connection to it is encrypted: `starttls`, `tls` (from the start) or `none`.",
    )
    user: Annotated[str | None, EmptyIsNone, Called("smtp_user")] = Field(
        default=None, description="User name to log in to it with."
    )
    password: Annotated[SecretStr | None, EmptyIsNone, Called("smtp_password")] = Field(
        default=None, description="Password to log in to it with."
    )
    sender: Annotated[str, Called("smtp_sender")] = Field(
        default="QuickThumb <quickthumb@localhost>",
        pattern=r"^[^\r\n]+$",
        description="Sender (From) of emails: an address, or `Name <address>`.",
    )

    @field_validator("sender")
    @classmethod
    def _is_someone(cls, value: str) -> str:
        if parseaddr(value)[1].count("@") != 1:
            raise ValueError("must be an address, or a name and an address: QuickThumb <robot@example.org>")
        return value

    @model_validator(mode="after")
    def _log_in_wholly(self) -> Self:
        if (self.user is None) != (self.password is None):
            missing = "smtp_user" if self.user is None else "smtp_password"
            raise PydanticCustomError("combination", "must be set when the other half of it is", {"setting": missing})
        return self

    @property
    def connection_port(self) -> int:
        """The port to connect to: the one that is set, else the usual one."""
        return self.port or SMTP_PORTS[self.tls]


def _has_whole_numbers(url: str) -> bool:
    """Whether the port and the database in a Redis URL are numbers."""
    try:
        parts = urlsplit(url)
        database = "" if parts.scheme == "unix" else parts.path.lstrip("/")
        int(parse_qs(parts.query).get("db", [database])[0] or 0)
        return parts.port is None or parts.port > 0
    except ValueError:
        return False
