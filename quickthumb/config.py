"""The configuration: one frozen object, each setting declared once.

Values come from, weakest first: the defaults below, the deployment's `settings.py` (`NAME = value`), and the
environment (`QUICKTHUMB_NAME=value`, or `QUICKTHUMB_NAME_FILE=/path` for a secret kept in a file). Only the roots
(`app`, `worker`, `cli`) load it; everything below them is handed plain values.
"""

import difflib
import hashlib
import json
import os
import runpy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

ENVIRONMENT_PREFIX = "QUICKTHUMB_"
SETTINGS_FILE_VARIABLE = "QUICKTHUMB_SETTINGS"

# The kernel's limit for the address of a unix socket is 108 bytes on Linux and 104 on macOS.
LONGEST_SOCKET_PATH_BYTES = 100

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE
GIBIBYTE = 1024 * MEBIBYTE
DAY_SECONDS = 86_400

# What is there without anyone having set it. settings.py may give these names other outputs, and add names.
BUILT_IN_PRESETS: dict[str, list[dict[str, Any]]] = {
    "thumbnail": [{"name": "thumbnail", "size": "128x128"}],
    "square-32-64": [
        {"name": "square-32", "size": "32x32", "fit": "cover", "enlarge": True},
        {"name": "square-64", "size": "64x64", "fit": "cover", "enlarge": True},
    ],
    "gray-blur": [{"name": "gray-blur", "grayscale": True, "blur": 2}],
}
SMTP_PORTS = {"none": 25, "starttls": 587, "tls": 465}


def _words(value: object) -> object:
    """A list, which the environment writes with commas between."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class ConfigError(Exception):
    """The configuration is not valid; the text is one sentence that names the setting and where it was set."""


class Config(BaseModel):
    """Every setting: its name, type, default, unit and meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    data_dir: Path = Field(Path("data"), description="Folder that holds uploads, results and the embedded Redis.")
    host: str = Field("127.0.0.1", description="Address on which `quickthumb up` lets the web process listen.")
    port: int = Field(8000, ge=0, le=65535, description="Port on which `quickthumb up` lets the web process listen.")
    redis_url: SecretStr | None = Field(
        None,
        description="Redis to use: `redis://`, `rediss://` or `unix://`. "
        "Without it, the embedded one of `quickthumb up` is used, on a socket under the data folder.",
    )
    max_upload_bytes: int = Field(64 * MEBIBYTE, ge=1, description="Largest image accepted, in bytes.")
    max_pixels: int = Field(
        100_000_000, ge=1, description="Most pixels an image may have: width × height × frames decoded."
    )
    max_frames: int = Field(1000, ge=1, description="Most frames an animation may have.")
    max_fields: int = Field(64, ge=1, description="Most form fields, JSON keys or query parameters in one upload.")
    max_fields_bytes: int = Field(
        64 * KIBIBYTE, ge=1, description="Most bytes that all fields of one upload may have together."
    )
    upload_idle_seconds: float = Field(
        20.0, gt=0, description="An upload that sends nothing for this long is broken off, in seconds."
    )
    upload_total_seconds: float = Field(
        900.0, gt=0, description="An upload that takes longer than this is broken off, in seconds."
    )
    max_wait_seconds: float = Field(
        60.0,
        ge=0,
        description="Longest time for which `?wait=` or `Prefer: wait=` holds an answer, in seconds.",
    )
    worker_threads: int = Field(
        0, ge=0, description="Images worked on at once by one worker; 0 means one for each core it may use."
    )
    decode_budget_bytes: int = Field(
        1536 * MEBIBYTE,
        ge=1,
        description="Memory that one worker's pictures may take together, in bytes; a larger picture is made alone.",
    )
    job_timeout_seconds: float = Field(
        120.0, gt=0, description="Longest time for the first attempt at a job, in seconds; then it is quarantined."
    )
    quarantine_seconds: float = Field(
        60.0,
        gt=0,
        description="Longest time for a further attempt, in a process of its own, in seconds.",
    )
    quarantine_memory_bytes: int = Field(
        2 * GIBIBYTE,
        ge=128 * MEBIBYTE,
        description="Most memory that the process of a further attempt may take, in bytes (on Linux).",
    )
    max_attempts: int = Field(3, ge=1, description="How often a job is tried before it is FAILED.")
    lease_seconds: float = Field(
        8.0,
        ge=2,
        description="A job whose worker is silent for this long is taken over by another, in seconds.",
    )
    freeze_seconds: float = Field(
        30.0,
        gt=0,
        description="A worker that stands still for this long, as when a decoder holds Python's lock, is ended.",
    )
    shutdown_grace_seconds: int = Field(
        30,
        ge=1,
        description="How long a worker that is told to stop may finish its running jobs, in seconds.",
    )
    max_queued: int = Field(
        10_000, ge=1, description="When so many jobs are queued or running, uploads are answered with 503."
    )
    min_free_bytes: int = Field(
        64 * MEBIBYTE,
        ge=0,
        description="With less free disk than this, uploads are answered with 503, in bytes.",
    )
    retention_seconds: int = Field(
        7 * DAY_SECONDS,
        ge=1,
        description="How long a job and its results are kept after its end, in seconds.",
    )
    source_retention_seconds: int = Field(
        7 * DAY_SECONDS,
        ge=0,
        description="How long a job's source is kept after its end, in seconds; 0 removes it together with the end.",
    )
    housekeeping_seconds: float = Field(
        15.0, gt=0, description="How often a worker looks for jobs that Redis has lost, in seconds."
    )
    sweep_seconds: float = Field(
        300.0, gt=0, description="How often a worker removes what has been kept long enough, in seconds."
    )
    presets: dict[str, list[dict[str, Any]]] = Field(
        {},
        description="Named recipes, beside the built-in ones: `{name: [output, …]}`, each output the parameters of one "
        "result. In the environment, JSON.",
    )
    compat: Words = Field(
        ("all",),
        description="The older APIs that are answered: `all`, `none`, or their names with commas between.",
    )
    email_allowed: Words = Field(
        ("*@example.com", "*@example.org"),
        description="Addresses that `/send-email/` may write to: patterns with commas between, `*` for any text.",
    )
    email_attempts: int = Field(
        12, ge=1, description="How often sending an email is tried before it is FAILED; the pauses double from 1 s on."
    )
    email_max_queued: int = Field(
        100, ge=1, description="When so many emails wait to be sent, more are answered with 503."
    )
    smtp_host: str | None = Field(
        None, description="Mail server. Without one, emails are written to the folder `outbox` under the data folder."
    )
    smtp_port: int | None = Field(
        None, ge=1, le=65535, description="Its port; by default 587 with `starttls`, 465 with `tls`, 25 with `none`."
    )
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection to it is encrypted: `starttls`, `tls` (from the start) or `none`."
    )
    smtp_user: str | None = Field(None, description="Name to log in to it with.")
    smtp_password: SecretStr | None = Field(None, description="Password to log in to it with.")
    smtp_sender: str = Field(
        "QuickThumb <quickthumb@localhost>",
        pattern=r"^[^\r\n]+$",
        description="Whom emails are from: an address, or `Name <address>`.",
    )

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("redis_url")
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

    @field_validator("presets", mode="before")
    @classmethod
    def _read_presets(cls, value: Any) -> Any:
        """Adds the built-in ones; takes JSON, which is how the environment has them."""
        if isinstance(value, str):
            try:
                value = json.loads(value or "{}")
            except ValueError:
                raise ValueError("must be JSON when it is text") from None
        return {**BUILT_IN_PRESETS, **value} if isinstance(value, Mapping) else value

    @field_validator("email_allowed")
    @classmethod
    def _whole_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            if pattern != "*" and pattern.count("@") != 1:
                raise ValueError(f"{pattern!r} must be a pattern of whole addresses, such as *@example.com")
        return value

    @field_validator("smtp_host", "smtp_port", "smtp_user", "smtp_password", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @model_validator(mode="after")
    def _log_in_wholly(self) -> Self:
        if (self.smtp_user is None) != (self.smtp_password is None):
            missing = "smtp_user" if self.smtp_user is None else "smtp_password"
            raise PydanticCustomError("combination", "must be set when the other half of it is", {"field": missing})
        return self

    @property
    def embedded_redis_socket(self) -> Path:
        """Where the embedded Redis listens: a pure function of the data folder, so every process knows it.

        It lies under the data folder, or, where that path is too long for a socket, in a folder of its own
        under the system's temporary one.
        """
        socket = self.data_dir / "redis" / "redis.sock"
        if len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH_BYTES:
            return socket
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"quickthumb-{digest}" / "redis.sock"

    @property
    def redis_address(self) -> str:
        """The URL of the Redis to connect to; it may hold a password, so it is not for showing."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        return f"unix://{quote(str(self.embedded_redis_socket))}"


def load(environment: Mapping[str, str] | None = None) -> Config:
    """The configuration of this process, from the defaults, `settings.py` and the environment.

    `settings.py` is the file named by `QUICKTHUMB_SETTINGS`, else the one in the working directory, if any.
    Raises ConfigError for a name that is no setting (with a suggestion) and for a value that is not valid.
    """
    environment = os.environ if environment is None else environment
    named = environment.get(SETTINGS_FILE_VARIABLE)
    path = Path(named or "settings.py").absolute()
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if named or path.is_file():
        _merge(values, origins, _from_file(path), path.name)
    _merge(values, origins, _from_environment(environment), "the environment")
    try:
        return Config(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name, *inside = first["loc"] or (first["ctx"]["field"],)
        place = "".join(f"[{part!r}]" for part in inside)
        origin = origins.get(str(name), "the defaults")
        raise ConfigError(f"{str(name).upper()}{place} (from {origin}): {first['msg']}.") from None


def _has_whole_numbers(url: str) -> bool:
    """Whether what stands in the places of the port and the database can be read."""
    try:
        parts = urlsplit(url)
        database = "" if parts.scheme == "unix" else parts.path.lstrip("/")
        int(parse_qs(parts.query).get("db", [database])[0] or 0)
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _merge(values: dict[str, Any], origins: dict[str, str], found: Mapping[str, Any], origin: str) -> None:
    for name, value in found.items():
        values[name] = value
        origins[name] = origin


def _from_file(path: Path) -> dict[str, Any]:
    try:
        defined = runpy.run_path(str(path))
    except Exception as error:
        raise ConfigError(f"{path.name} could not be read: {type(error).__name__}: {error}.") from error
    return {_known(name, path.name): value for name, value in defined.items() if name.isupper()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for variable, value in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == SETTINGS_FILE_VARIABLE:
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX)
        if name.endswith("_FILE") and name.lower() not in Config.model_fields:
            name, value = name.removesuffix("_FILE"), _secret(variable, Path(value))
        found[_known(name, variable)] = value
    return found


def _secret(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{variable}: the file could not be read: {error}.") from error


def _known(name: str, origin: str) -> str:
    if name.lower() in Config.model_fields:
        return name.lower()
    nearest = difflib.get_close_matches(name.lower(), Config.model_fields, n=1, cutoff=0.6)
    suggestion = f" Did you mean {nearest[0].upper()}?" if nearest else ""
    raise ConfigError(f"{name} (from {origin}) is not a setting.{suggestion}")
