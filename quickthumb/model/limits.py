"""How large an image may be."""

from typing import ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The upper bounds for decoding one source and rendering it; a section of the configuration.

    `max_pixels` bounds width × height × frames, both of what is decoded and of each result. `max_frames` bounds the
    frames of the source. A color profile above `max_profile_bytes` is ignored with a warning. `max_result_bytes` bounds
    the files of all results together, and `spare_bytes` of the disk must stay free when a file is written (0: all of it
    may be used); the setting for that is MIN_FREE_BYTES.
    """

    max_pixels: int = Field(
        default=100_000_000, ge=1, description="Maximum number of pixels in an image: width × height × decoded frames."
    )
    max_frames: int = Field(default=1000, ge=1, description="Maximum number of frames in an animation.")
    max_result_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1,
        description="Largest size of all results of a job together, in bytes; a job that would make more is FAILED.",
    )
    spare_bytes: int = 0
    max_profile_bytes: ClassVar[int] = 2 * 1024 * 1024
