"""The settings of the queue and of what works on it."""

import platform
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from quickthumb.config.declaring import DAY_SECONDS, MEBIBYTE, STRICT, Called, EmptyIsNone


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
class TroubleLimits:
    """How long an item waits for trouble to pass that is not its fault, such as a full disk."""

    seconds: Annotated[int, Called("give_up_seconds")] = Field(
        default=3 * DAY_SECONDS,
        ge=1,
        le=30 * DAY_SECONDS,
        description="A job is FAILED after this long, in seconds, of trouble that is not its fault, such as a full "
        "disk; it can be retried if its source is still kept.",
    )
    attempts: Annotated[int, Called("give_up_attempts")] = Field(
        default=10_000, ge=1, description="A job is FAILED after this many attempts that ended with such trouble."
    )


@dataclass(frozen=True, config=STRICT)
class WorkerSettings:
    """One worker process."""

    name: Annotated[str | None, EmptyIsNone, Called("worker_name")] = Field(
        default=None,
        pattern=r"^[^\s:]{1,64}$",
        description="Name of a worker, by which `arq --check` finds it; by default the name of the host. Give each "
        "worker on a host its own.",
    )
    threads: Annotated[int, Called("worker_threads")] = Field(
        default=0,
        ge=0,
        description="Number of images that a worker renders at once; 0 means one per available core. One more thread "
        "renders small images while all of these are busy with slow ones.",
    )
    freeze_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Kill a worker that is blocked for this long, for example by a decoder that holds the GIL, in "
        "seconds.",
    )
    keep_ai_label: bool = Field(
        default=True,
        description="Keep the label of generated pictures (IPTC's digital source type) in results that keep no other "
        "metadata, in every format that holds XMP.",
    )
    dedupe: bool = Field(
        default=False,
        description="Use the results of an earlier job of the same tenant for the same image and outputs, while they "
        "are kept, unless a request says otherwise.",
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
        default=2304 * MEBIBYTE,
        ge=1,
        description="Memory that all images which a worker renders at once may use together, in bytes. A job that is "
        "estimated to need more is refused with 422. Small jobs may take another 128 MiB, so that they need not wait "
        "for large ones.",
    )
    job_timeout_seconds: float = Field(
        default=120.0,
        gt=0,
        description="Longest time for the first attempt at a job, in seconds; the next attempt runs in a sandbox "
        "process.",
    )
    confine_heic: bool = Field(
        default=True,
        description="Decode HEIC in a sandbox process from the first attempt on, as JPEG XL always is: flaws of its "
        "decoder have been exploited through uploads. This costs about half a second of CPU per image.",
    )
    quarantine_seconds: float = Field(
        default=120.0, gt=0, description="Longest time for an attempt in a sandbox process, in seconds."
    )
    quarantine_memory_bytes: int = Field(
        default=2688 * MEBIBYTE,
        ge=128 * MEBIBYTE,
        description="Most memory that a sandbox process may use, in bytes (only on Linux).",
    )
