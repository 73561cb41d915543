"""How large an image and an order may be."""

from typing import ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

MAX_OUTPUTS = 32


@dataclass(frozen=True, slots=True)
class Limits:
    """The upper bounds for decoding one source and rendering its outputs; a section of the configuration.

    `max_pixels` bounds width × height × frames, both of what is decoded and of each result. `max_frames` bounds the
    frames of the source. `max_outputs`, `max_output_pixels` and `max_work_seconds` bound what one order asks for in
    all (`imaging/cost.py`). A color profile above `max_profile_bytes` is ignored with a warning.
    """

    max_pixels: int = Field(
        default=100_000_000, ge=1, description="Maximum number of pixels in an image: width × height × decoded frames."
    )
    max_frames: int = Field(default=1000, ge=1, description="Maximum number of frames in an animation.")
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
