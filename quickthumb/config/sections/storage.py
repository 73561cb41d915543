"""The settings of what is kept, where, and for how long."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic.dataclasses import dataclass

from quickthumb.config.declaring import DAY_SECONDS, MEBIBYTE, STRICT, Called
from quickthumb.model.retention import Seconds


@dataclass(frozen=True, config=STRICT)
class StorageSettings:
    """Where files are stored."""

    data_dir: Path = Field(
        default=Path("data"), description="Folder that holds uploads, results and the embedded Redis."
    )
    min_free_bytes: int = Field(
        default=64 * MEBIBYTE,
        ge=0,
        description="Disk space to keep free, in bytes; a job whose results would use it waits. Uploads must "
        "leave twice as much, or are answered with 503 or 507; large results, three times as much.",
    )

    @property
    def uploads_leave_bytes(self) -> int:
        """Disk space that uploads leave free: the jobs that were accepted before need some of it for their results."""
        return 2 * self.min_free_bytes

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()


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
        description="Prefix of all keys in Redis; deployments with different prefixes can share a Redis.",
    )

    @field_validator("url")
    @classmethod
    def _connectable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        from quickthumb.config.redis_url import connection_options  # only now, since it imports redis

        connection_options(value.get_secret_value())
        return value


@dataclass(frozen=True, config=STRICT)
class RetentionSettings:
    """How long jobs and their files are kept."""

    job_seconds: Annotated[Seconds, Called("retention_seconds")] = Field(
        default=7 * DAY_SECONDS,
        ge=1,
        description="How long a job and its results are kept after it ends: in seconds, as a length of time such as "
        "`30d`, or `forever`.",
    )
    source_seconds: Annotated[Seconds, Called("source_retention_seconds")] = Field(
        default=7 * DAY_SECONDS,
        ge=0,
        description="How long a source is kept after its job ends, but never longer than the job: in the same units; 0 "
        "removes it when the job ends.",
    )
    sweep_seconds: float = Field(
        default=300.0, gt=0, description="How often a worker removes expired jobs and sources, in seconds."
    )
