"""How large an image and an order may be."""

from typing import ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

# The largest JPEG that may have all of `max_scans`, in pixels.
FULL_SCANS_PIXELS = 20_000_000
# Encoders make ten scans, and the most thorough ones, which search for the best division, about 20.
FEWEST_SCANS = 24
MAX_OUTPUTS = 32


@dataclass(frozen=True, slots=True)
class Limits:
    """The upper bounds for decoding one source and rendering its outputs; a section of the configuration.

    `max_pixels` bounds width × height × frames, both of what is decoded and of each result. `max_frames` bounds the
    frames of the source. `max_scans` bounds the scans of a JPEG; `scans` says how many a JPEG of a given size may have.
    `max_outputs`, `max_output_pixels` and `max_work_seconds` bound what one order asks for in all (`imaging/cost.py`).
    `max_result_bytes` bounds the files of all results together, and `spare_bytes` of the disk must stay free when a
    file is written (0: all of it may be used); the setting for that is MIN_FREE_BYTES. A color profile above
    `max_profile_bytes` is ignored with a warning.
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
    max_scans: int = Field(
        default=100,
        ge=1,
        description="Maximum number of scans in a progressive JPEG; above 20 megapixels, in proportion fewer, but "
        "a setting of 24 or more always admits 24.",
    )
    # One of the built-in presets has two outputs.
    max_outputs: int = Field(default=MAX_OUTPUTS, ge=2, description="Maximum number of outputs of one job.")
    max_output_pixels: int = Field(
        default=500_000_000,
        ge=1,
        description="Maximum number of pixels in all outputs of one job together: width × height × frames, added up.",
    )
    max_work_seconds: float = Field(
        default=120.0,
        gt=0,
        description="Most work that one job may ask for: the estimated time in which one core of a slow machine makes "
        "all its outputs, in seconds.",
    )
    max_profile_bytes: ClassVar[int] = 2 * 1024 * 1024

    def scans(self, pixels: int) -> int:
        """How many scans a JPEG of so many pixels may have: each takes time in proportion to all of its pixels."""
        in_proportion = self.max_scans * FULL_SCANS_PIXELS // max(1, pixels)
        return min(self.max_scans, max(in_proportion, FEWEST_SCANS))
