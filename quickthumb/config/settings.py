"""The whole configuration: its sections, and an index of all settings by their flat names."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Self, cast, get_args
from urllib.parse import quote

from pydantic import Field, SecretStr, field_validator
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo

from quickthumb.config.declaring import STRICT, Called, Json, Words
from quickthumb.config.sections import (
    BatchLimits,
    EmailSettings,
    IntakeLimits,
    LogSettings,
    OutboundSettings,
    QueueSettings,
    RedisSettings,
    RetentionSettings,
    SandboxSettings,
    SmtpServer,
    StorageSettings,
    TenantSettings,
    TroubleLimits,
    WebSettings,
    WorkerSettings,
)
from quickthumb.model.allowance import NO_QUOTAS, Quotas
from quickthumb.model.api_key import TENANT
from quickthumb.model.limits import Limits
from quickthumb.model.priority import Overtaking
from quickthumb.model.retention import Retention, RetentionPolicy

ENVIRONMENT_PREFIX = "QUICKTHUMB_"

# The kernel limits the path of a Unix socket to 108 bytes on Linux and 104 on macOS.
LONGEST_SOCKET_PATH_BYTES = 100

# Every deployment has these presets. settings.py may replace them and add others.
BUILT_IN_PRESETS: dict[str, list[dict[str, Any]]] = {
    "thumbnail": [{"name": "thumbnail", "size": "128x128"}],
    "square-32-64": [
        {"name": "square-32", "size": "32x32", "fit": "cover", "enlarge": True},
        {"name": "square-64", "size": "64x64", "fit": "cover", "enlarge": True},
    ],
    "gray-blur": [{"name": "gray-blur", "grayscale": True, "blur": 2}],
}


@dataclass(frozen=True, config=STRICT)
class Config:
    """All settings. A field with a description is itself a setting; every other field is a section, in which the fields
    with a description are settings."""

    storage: StorageSettings = field(default_factory=StorageSettings)
    web: WebSettings = field(default_factory=WebSettings)
    logs: LogSettings = field(default_factory=LogSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)
    intake: IntakeLimits = field(default_factory=IntakeLimits)
    batches: BatchLimits = field(default_factory=BatchLimits)
    imaging: Limits = field(default_factory=Limits)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    queue: QueueSettings = field(default_factory=QueueSettings)
    overtaking: Overtaking = field(default_factory=Overtaking)
    trouble: TroubleLimits = field(default_factory=TroubleLimits)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    presets: Annotated[dict[str, list[dict[str, Any]]], Json] = Field(
        default={},
        description="Presets in addition to the built-in ones: `{name: [output, …]}`, where an output holds the "
        "parameters of one result. In the environment, as JSON.",
    )
    tenants: Annotated[dict[str, TenantSettings], Json] = Field(
        default={},
        description="What is different for a tenant: `{tenant: {…}}`, with any of `presets`, `retention_seconds`, "
        "`source_retention_seconds` and `quotas`. In the environment, as JSON.",
    )
    quotas: Annotated[Quotas, Json] = Field(
        default=NO_QUOTAS,
        description="How much each key, or each address while there is no key, may demand over time: "
        "`{quota: number}`. A key may have quotas of its own. In the environment, as JSON.",
    )
    compat: Words = Field(
        default=("all",),
        description="The older APIs to serve: `all`, `none`, or their names, comma-separated.",
    )
    compat_tenant: str | None = Field(
        default=None,
        description="The tenant for which the older APIs act if a request has no API key. By default they need a key, "
        "too, once there is one.",
    )
    email: EmailSettings = field(default_factory=EmailSettings)
    smtp: SmtpServer = field(default_factory=SmtpServer)
    outbound: OutboundSettings = field(default_factory=OutboundSettings)

    @classmethod
    def of(cls, **settings: Any) -> Self:
        """A configuration from settings by their flat names, in lower case: `Config.of(max_pixels=5)`.

        Raises KeyError for an unknown setting, and pydantic's ValidationError for an invalid value.
        """
        values: dict[str, Any] = {}
        for name, value in settings.items():
            setting = SETTINGS[name]
            place = values if setting.section is None else values.setdefault(setting.section, {})
            place[setting.field] = value
        return cls(**values)

    @field_validator("presets")
    @classmethod
    def _with_built_in_presets(cls, value: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
        return {**BUILT_IN_PRESETS, **value}

    @field_validator("tenants")
    @classmethod
    def _named_as_tenants(cls, value: dict[str, TenantSettings]) -> dict[str, TenantSettings]:
        for name in value:
            if not TENANT.fullmatch(name):
                raise ValueError(f"{name!r} is no tenant: up to 63 lower-case letters, digits and hyphens")
        return value

    @property
    def retention_policy(self) -> RetentionPolicy:
        """How long jobs are kept, for all and for the tenants that have a time of their own."""
        general = Retention(self.retention.job_seconds, self.retention.source_seconds)
        own = {name: each.retention(general) for name, each in self.tenants.items()}
        return RetentionPolicy(general, {name: each for name, each in own.items() if each != general})

    @property
    def embedded_redis_socket(self) -> Path:
        """The socket of the embedded Redis. It depends only on the data folder, so every process can derive it.

        It is in the data folder or, if that path is too long for a socket, in a folder of its own in the system's
        temporary folder.
        """
        folder = self.storage.data_dir
        socket = folder / "redis" / "redis.sock"
        if len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH_BYTES:
            return socket
        digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"quickthumb-{digest}" / "redis.sock"

    @property
    def redis_connection_url(self) -> str:
        """The URL of the Redis to connect to. It may contain a password, so never show it."""
        if self.redis.url is not None:
            return self.redis.url.get_secret_value()
        return f"unix://{quote(str(self.embedded_redis_socket))}"


@dataclass(frozen=True)
class Setting:
    """One setting: its flat name in lower case, its place in Config, its default and its meaning.

    `section` is None for a setting at the top level of Config. A secret one must not be shown, nor stay in the
    environment.
    """

    name: str
    section: str | None
    field: str
    default: Any
    meaning: str
    is_secret: bool = False


def _declared() -> Iterator[Setting]:
    for name, info in _fields(Config).items():
        if info.description is not None:
            yield Setting(name, None, name, info.default, info.description)
            continue
        for attribute, inner in _fields(info.annotation).items():
            if inner.description is None:  # set by a root, not by the deployment
                continue
            called = next((str(mark) for mark in inner.metadata if isinstance(mark, Called)), attribute)
            is_secret = SecretStr in get_args(inner.annotation)
            yield Setting(called, name, attribute, inner.default, inner.description, is_secret)


def _fields(section: Any) -> dict[str, FieldInfo]:
    return cast("dict[str, FieldInfo]", section.__pydantic_fields__)


def _by_name() -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for setting in _declared():
        if found.setdefault(setting.name, setting) is not setting:
            raise TypeError(f"{setting.name} is declared in two sections")
    return found


SETTINGS: dict[str, Setting] = _by_name()
