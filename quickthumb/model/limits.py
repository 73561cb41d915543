"""How much one image may ask for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is decoded and made of one source.

    `max_pixels` counts width × height of all frames together that are to be decoded, and likewise those of any one
    result. `max_frames` counts the frames of the source; `max_profile_bytes` the color profile, beyond which it is
    left aside with a warning.
    """

    max_pixels: int
    max_frames: int = 1000
    max_profile_bytes: int = 2 * 1024 * 1024
